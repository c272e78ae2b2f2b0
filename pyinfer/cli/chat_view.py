"""An answer on a terminal: words wrapped, reasoning dim or folded, the speed live below the text.

The line below the text is rewritten with every piece: erase everything below the cursor, write the
text, step down, write the status, step up to where the text goes on. Only relative moves are used,
so that scrolling does no harm, and the last column stays free, so that the terminal never wraps by
itself and the column is always known.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from pyinfer.cli.terminal import put, visible

if TYPE_CHECKING:
    from pyinfer.requests.answer import StreamPart

_DIM, _RESET = "\x1b[2m", "\x1b[0m"
_ERASE_BELOW = "\x1b[J"
_TAB = "    "
_STATUS_SECONDS = 0.1


class AnswerView:
    """Shows one answer. Call :meth:`finish` at its end, whatever ended it.

    Parameters
    ----------
    out : TextIO
        A terminal that understands cursor moves.
    fold : bool
        Show of the reasoning only how long it took.
    wrap : bool
        Break lines between words.
    """

    def __init__(self, out: TextIO, *, fold: bool = False, wrap: bool = True) -> None:
        self._out = out
        self._fold = fold
        self._wrap = wrap
        self._color = not os.environ.get("NO_COLOR")
        self._column = 0
        self._word = ""
        self._kind = ""
        self._pieces: list[str] = []
        self._started = time.monotonic()
        self._first = 0.0
        self._thought = 0.0
        self._shown = 0.0
        self._reasoning_tokens = 0
        self.tokens = 0

    def progress(self, done: int, total: int) -> None:
        """Tell how much of the prompt has been read."""
        if total >= 256:
            self._draw(f"reading the prompt, {done} of {total} tokens", force=done >= total)

    def write(self, chunk: StreamPart) -> None:
        """Show one piece."""
        count = 0 if chunk.kind == "tool_call" else len(chunk.token_ids)
        if count:
            self.tokens += count
            self._reasoning_tokens += count if chunk.kind == "reasoning" else 0
            self._first = self._first or time.monotonic()
        if chunk.kind != self._kind:
            self._change(chunk.kind)
        if not (self._fold and chunk.kind == "reasoning"):
            self._lay_out(visible(chunk.text))
        self._draw(self._status())

    def finish(self, summary: str = "") -> None:
        """End the last line and remove the status; ``summary`` stands below the answer."""
        if self._kind == "reasoning":
            self._change("")
        self._flush_word()
        if self._column:
            self._line_end()
        text = _ERASE_BELOW + "".join(self._pieces)
        self._pieces.clear()
        if summary:
            text += self._dimmed(visible(summary)[: self._width()]) + "\n"
        put(self._out, text)

    @property
    def rate(self) -> float:
        """Tokens per second since the first one."""
        passed = time.monotonic() - self._first if self._first else 0.0
        return (self.tokens - 1) / passed if self.tokens > 1 and passed > 0 else 0.0

    def _change(self, kind: str) -> None:
        self._flush_word()
        if self._kind == "reasoning":
            seconds = time.monotonic() - self._thought
            if not self._fold:
                if self._column:
                    self._line_end()
                self._line_end()
            else:
                note = f"[thought for {seconds:.1f} s, {self._reasoning_tokens} tokens]"
                self._pieces.append(self._dimmed(note))
                self._line_end()
                self._line_end()
        elif kind == "reasoning":
            self._thought = time.monotonic()
        self._kind = kind

    def _status(self) -> str:
        seconds = time.monotonic() - self._started
        what = "thinking, " if self._kind == "reasoning" else ""
        return f"{what}{self.tokens} tokens, {self.rate:.1f} tok/s, {seconds:.0f} s"

    def _width(self) -> int:
        return max(20, shutil.get_terminal_size().columns) - 1

    def _lay_out(self, text: str) -> None:
        from rich.cells import cell_len

        width = self._width()
        for part in _words(text.replace("\t", _TAB)):
            if part == "\n":
                self._flush_word()
                self._line_end()
            elif part == " ":
                self._flush_word()
                if self._column < width:
                    self._emit(" ", 1)
            else:
                self._word += part
                # What is written without spaces may be broken anywhere.
                if cell_len(part) > 1 or cell_len(self._word) >= width or not self._wrap:
                    self._flush_word()

    def _flush_word(self) -> None:
        from rich.cells import cell_len

        word, self._word = self._word, ""
        width, cells = self._width(), cell_len(word)
        if self._column and self._column + cells > width:
            self._line_end()
        while cells > width:
            cut = max(1, width // 2)
            self._emit(word[:cut], cell_len(word[:cut]))
            self._line_end()
            word = word[cut:]
            cells = cell_len(word)
        if word:
            self._emit(word, cells)

    def _emit(self, text: str, cells: int) -> None:
        self._pieces.append(self._dimmed(text) if self._kind == "reasoning" else text)
        self._column += cells

    def _line_end(self) -> None:
        self._pieces.append("\r\n")
        self._column = 0

    def _dimmed(self, text: str) -> str:
        return f"{_DIM}{text}{_RESET}" if self._color else text

    def _draw(self, status: str, force: bool = False) -> None:
        """Write what is ready and the status below it; at most ten times per second."""
        now = time.monotonic()
        if not self._pieces and not force and now - self._shown < _STATUS_SECONDS:
            return
        self._shown = now
        text = _ERASE_BELOW + "".join(self._pieces)
        self._pieces.clear()
        line = self._dimmed(status[: self._width()])
        put(self._out, f"{text}\r\n{line}\x1b[1A\x1b[{self._column + 1}G")


def _words(text: str) -> Iterator[str]:
    """Characters, one by one."""
    yield from text
