"""Text on a terminal and in a pipe."""

from __future__ import annotations

import io
import unicodedata

import pytest

from pyinfer.cli.terminal import TextWriter, is_terminal, visible

ANSWER = [("reasoning", "Hm"), ("reasoning", "m\n"), ("content", "Yes"), ("content", ".")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(out: io.StringIO, parts: list[tuple[str, str]], hide: bool = False) -> str:
    writer = TextWriter(out, hide)
    for kind, text in parts:
        writer.write(kind, text)
    writer.finish()
    return out.getvalue()


@pytest.fixture(autouse=True)
def _capable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_no_control_character_reaches_a_terminal() -> None:
    every = "".join(map(chr, [*range(0x3000), *range(0xE0000, 0xE0080)]))
    shown = visible(every)
    for char in shown:
        assert char in "\n\t" or unicodedata.category(char) != "Cc"
        assert unicodedata.bidirectional(char) not in {"LRE", "RLE", "LRO", "RLO", "PDF"}
        assert unicodedata.bidirectional(char) not in {"LRI", "RLI", "FSI", "PDI"}
    assert visible("\x1b]52;c;eA==\x07\x9b2J\r") == r"\x1b]52;c;eA==\x07\x9b2J\x0d"
    assert visible("tab\tline\nשלום 日本 é") == "tab\tline\nשלום 日本 é"


def test_reasoning_is_dim_on_a_terminal() -> None:
    expected = "\x1b[2mHm\x1b[0m\x1b[2mm\n\x1b[0m\nYes.\n"
    assert written(Terminal(), ANSWER) == expected


def test_every_piece_leaves_the_terminal_reset() -> None:
    out = Terminal()
    writer = TextWriter(out)
    for kind, text in ANSWER:
        writer.write(kind, text)
        assert out.getvalue().count("\x1b[2m") == out.getvalue().count("\x1b[0m")


def test_model_cannot_switch_attributes() -> None:
    assert "\x1b" not in written(Terminal(), [("content", "\x1b[31mred\x1b]0;title\x07")])


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_plain_terminal(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert written(Terminal(), ANSWER) == "<think>\nHmm\n</think>\n\nYes.\n"


def test_pipe_gets_plain_text_unchanged() -> None:
    assert written(io.StringIO(), ANSWER) == "<think>\nHmm\n</think>\n\nYes.\n"
    assert written(io.StringIO(), [("content", "\x1b[2J\r\n")]) == "\x1b[2J\r\n"


def test_hidden_reasoning() -> None:
    for out in (io.StringIO(), Terminal()):
        assert written(out, ANSWER, hide=True) == "Yes.\n"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], ""),
        ([("content", "")], ""),
        ([("reasoning", "cut off")], "<think>\ncut off\n</think>\n"),
        ([("content", "line\n")], "line\n"),
        ([("reasoning", "a"), ("content", "b")], "<think>\na\n</think>\n\nb\n"),
    ],
)
def test_line_ends(parts: list[tuple[str, str]], expected: str) -> None:
    assert written(io.StringIO(), parts) == expected


def test_closed_stream_is_no_terminal() -> None:
    stream = io.StringIO()
    stream.close()
    assert not is_terminal(stream)
    assert not is_terminal(None)
