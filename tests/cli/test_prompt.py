"""Where the prompt comes from, and which prompts are refused."""

from __future__ import annotations

import io
import sys

import pytest

from pyinfer.cli.prompt import MAX_PROMPT_BYTES, read_prompt
from pyinfer.errors import RequestError, UsageError


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_argument_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b"piped")
    assert read_prompt("said") == "said"


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"hi", "hi"), (b"hi\n", "hi"), (b"hi\r\n", "hi"), (b"hi\n\n", "hi\n"), ("é".encode(), "é")],
)
@pytest.mark.parametrize("argument", [None, "-"])
def test_standard_input(
    monkeypatch: pytest.MonkeyPatch, data: bytes, text: str, argument: str | None
) -> None:
    pipe(monkeypatch, data)
    assert read_prompt(argument) == text


@pytest.mark.parametrize("data", [b"", b"\n", b" \t\n"])
def test_empty(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    pipe(monkeypatch, data)
    with pytest.raises(RequestError, match="empty"):
        read_prompt("-")
    with pytest.raises(RequestError, match="empty"):
        read_prompt(data.decode())


def test_not_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b"ab\xff")
    with pytest.raises(RequestError, match="0xff at offset 2"):
        read_prompt("-")
    with pytest.raises(RequestError, match="UTF-8"):
        read_prompt("a\udcff")  # how Python hands over such an argument


def test_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b"a" * (MAX_PROMPT_BYTES + 1))
    with pytest.raises(RequestError, match="more than"):
        read_prompt("-")


def test_nobody_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b"")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    with pytest.raises(UsageError, match="no prompt"):
        read_prompt(None)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="no prompt"):
        read_prompt(None)
    with pytest.raises(UsageError, match="closed"):
        read_prompt("-")
