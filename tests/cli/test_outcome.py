"""Every way a command can end: one line at most, and the right status."""

from __future__ import annotations

import sys

import pytest

from pyinfer import errors
from pyinfer.cli.outcome import OutputClosedError, TerminatedError, exit_status


def failing(error: BaseException) -> int:
    def command() -> int:
        raise error

    return exit_status(command)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UsageError("x"), 2),
        (errors.RequestError("x"), 3),
        (errors.ContextLengthError("x"), 3),
        (errors.ModelFormatError("x"), 4),
        (errors.ModelUnsupportedError("x"), 4),
        (errors.ModelNotFoundError("x"), 5),
        (errors.InsufficientMemoryError("x"), 6),
        (errors.StoreIOError("x"), 8),
        (errors.NumericError("x"), 9),
        (errors.UnsupportedCPUError("x"), 10),
        (MemoryError(), 6),
    ],
)
def test_failures(error: Exception, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(error) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pyinfer: error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), 130),
        (errors.CancelledError("x"), 130),
        (TerminatedError(), 143),
        (BrokenPipeError(), 141),
        (OutputClosedError(), 141),
    ],
)
def test_silent_ends(
    error: BaseException,
    status: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pyinfer.cli.outcome.silence_stdout", lambda: None)
    assert failing(error) == status
    assert capsys.readouterr() == ("", "")


def test_bug(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYINFER_LOG", raising=False)
    assert failing(ZeroDivisionError("odd\nthing")) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "report" in error
    monkeypatch.setenv("PYINFER_LOG", "debug")
    assert failing(ZeroDivisionError("odd\nthing")) == 1
    assert "Traceback" in capsys.readouterr().err


def test_control_characters_in_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    failing(errors.ModelNotFoundError("no \x1b[2Jfile\n"))
    assert "\x1b" not in capsys.readouterr().err


def test_no_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert failing(errors.UsageError("x")) == 2


def test_success() -> None:
    assert exit_status(lambda: 0) == 0
