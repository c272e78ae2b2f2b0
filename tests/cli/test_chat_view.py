"""What an answer looks like on a terminal, drawn by a terminal emulator."""

from __future__ import annotations

import io
import random

import pyte
import pytest

from pyinfer.cli import chat_view
from pyinfer.cli.chat_view import AnswerView
from pyinfer.requests.answer import Chunk

PROSE = (
    "The quick brown fox jumps over the lazy dog, again and again.\n\nA list:\n  - one\n  - two "
    "which is long enough to be broken in two, at the least\n\n```\ncode\twith tab\n```\n"
    "an_identifier_that_is_far_too_long_for_any_line_of_this_terminal_and_has_no_space_in_it end.\n"
    "中文没有空格所以可以在任何地方断行，这里有很多字，一直写到下一行。🙂🙂🙂 end"
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_view, "_STATUS_SECONDS", 0.0)
    monkeypatch.delenv("NO_COLOR", raising=False)


class Drawn:
    """An emulated terminal of the size that the view is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, columns: int, lines: int) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("LINES", str(lines))
        self.screen = pyte.HistoryScreen(columns, lines, history=1000)
        self._stream = pyte.Stream(self.screen)
        self.out = io.StringIO()
        self._at = 0

    def update(self) -> list[str]:
        """Draw what was written since, and return the screen's lines."""
        text = self.out.getvalue()
        # A terminal turns line ends into both moves; the view writes them out.
        self._stream.feed(text[self._at :].replace("\r\n", "\n").replace("\n", "\r\n"))
        self._at = len(text)
        return self.lines()

    def lines(self) -> list[str]:
        """Everything, also what has scrolled away."""
        rows = [
            "".join(row[x].data for x in range(self.screen.columns))
            for row in self.screen.history.top
        ]
        lines = [line.rstrip() for line in [*rows, *self.screen.display]]
        while lines and not lines[-1]:
            lines.pop()
        return lines


def chunks(text: str, kind: str, rng: random.Random) -> list[Chunk]:
    found = []
    while text:
        n = rng.randint(1, 9)
        found.append(Chunk(kind, text[:n], [1]))  # type: ignore[arg-type]
        text = text[n:]
    return found


@pytest.mark.parametrize("columns", [80, 33, 21])
@pytest.mark.parametrize("seed", range(3))
def test_the_text_is_complete_and_inside(
    monkeypatch: pytest.MonkeyPatch, columns: int, seed: int
) -> None:
    drawn = Drawn(monkeypatch, columns, 12)
    view = AnswerView(drawn.out)
    for chunk in chunks(PROSE, "content", random.Random(seed)):
        view.write(chunk)
        lines = drawn.update()
        assert [line for line in lines if " tokens, " in line] == lines[-1:]  # the status
    view.finish("[done]")
    lines = drawn.update()
    assert lines[-1] == "[done]"
    shown = "".join("".join(lines[:-1]).split())
    assert shown == "".join(PROSE.split())
    if columns == 80:
        assert lines[:6] == [
            "The quick brown fox jumps over the lazy dog, again and again.",
            "",
            "A list:",
            "  - one",
            "  - two which is long enough to be broken in two, at the least",
            "",
        ]
    if columns == 33:
        assert lines[:2] == ["The quick brown fox jumps over", "the lazy dog, again and again."]


def test_reasoning_is_dim_and_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Drawn(monkeypatch, 80, 24)
    view = AnswerView(drawn.out)
    view.progress(512, 512)
    assert drawn.update() == ["", "reading the prompt, 512 of 512 tokens"]
    view.write(Chunk("reasoning", "Hm, well.\n", [1]))
    assert drawn.update()[-1].startswith("thinking, 1 tokens")
    view.write(Chunk("content", "Yes.", [2]))
    view.finish()
    assert drawn.update() == ["Hm, well.", "", "Yes."]
    assert "\x1b[2mHm," in drawn.out.getvalue()
    assert "\x1b[2mYes" not in drawn.out.getvalue()


def test_folded_reasoning(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Drawn(monkeypatch, 80, 24)
    view = AnswerView(drawn.out, fold=True)
    for chunk in chunks("secret thoughts of the model", "reasoning", random.Random(0)):
        view.write(chunk)
    view.write(Chunk("content", "Yes.", [2]))
    view.finish()
    lines = drawn.update()
    assert lines[0].startswith("[thought for 0.")
    assert lines[1:] == ["", "Yes."]
    assert "secret" not in drawn.out.getvalue()


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = Drawn(monkeypatch, 80, 24)
    view = AnswerView(drawn.out)
    view.write(Chunk("reasoning", "Hm", [1]))
    view.finish("[end]")
    assert "\x1b[2m" not in drawn.out.getvalue()


def test_the_model_cannot_move_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Drawn(monkeypatch, 80, 24)
    view = AnswerView(drawn.out)
    view.write(Chunk("content", "a\x1b[2Jb\rc\x9b1A", [1]))
    view.finish()
    assert drawn.update() == [r"a\x1b[2Jb\x0dc\x9b1A"]


def test_unwrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Drawn(monkeypatch, 21, 12)
    view = AnswerView(drawn.out, wrap=False)
    view.write(Chunk("content", "abcdefghij klmnopqrstuvw xyz", [1]))
    view.finish()
    assert drawn.update() == ["abcdefghij klmnopqrs", "tuvw xyz"]
