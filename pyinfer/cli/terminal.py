"""Writing generated text to a terminal or a pipe."""

from __future__ import annotations

import os
from typing import TextIO

from pyinfer.cli.outcome import OutputError

_DIM = "\x1b[2m"
_RESET = "\x1b[0m"

# A model can write escape sequences, and text that reorders what stands beside it. On a terminal
# they are shown by name. Line end and tab are the only control characters that pass.
_SHOWN = {
    code: f"\\x{code:02x}"
    for code in (*range(0x20), *range(0x7F, 0xA0))
    if code not in (0x09, 0x0A)
} | {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def visible(text: str) -> str:
    """Replace control characters and bidirectional overrides by their names."""
    return text.translate(_SHOWN)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person reads ``stream`` directly."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def put(out: TextIO, text: str) -> None:
    """Write ``text`` and everything before it.

    Raises
    ------
    BrokenPipeError
        The reader has gone.
    OutputError
        Anything else that prevents writing, such as a full disk.
    """
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write the output: {error.strerror}") from None


class TextWriter:
    """Streams reasoning and content to standard output.

    On a terminal the reasoning is dim and control characters are shown by name. Elsewhere the
    text is plain: reasoning stands between ``<think>`` and ``</think>``, nothing is changed.

    Parameters
    ----------
    out : TextIO
        Where to write; each piece is flushed at once.
    hide_reasoning : bool
        Leave the reasoning out.
    """

    def __init__(self, out: TextIO, hide_reasoning: bool = False) -> None:
        self._out = out
        self._terminal = is_terminal(out)
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
        self._dim = self._terminal and not plain
        self._hide = hide_reasoning
        self._reasoning = False
        self._last = "\n"

    def write(self, kind: str, text: str) -> None:
        """Write one piece; ``kind`` is ``"reasoning"`` or ``"content"``."""
        if not text or (self._hide and kind == "reasoning"):
            return
        if kind == "reasoning" and not self._reasoning:
            self._reasoning = True
            if not self._dim:
                self._put("<think>\n")
        elif kind != "reasoning":
            self._close_reasoning()
        # Each piece is reset at its end: whatever stops the process, the terminal stays sane.
        self._put(text, dim=self._dim and kind == "reasoning")

    def finish(self) -> None:
        """End the last line."""
        self._close_reasoning(gap=False)
        if self._last != "\n":
            self._put("\n")

    def _close_reasoning(self, gap: bool = True) -> None:
        if not self._reasoning:
            return
        self._reasoning = False
        line = "" if self._last == "\n" else "\n"
        self._put(line + ("" if self._dim else "</think>\n") + ("\n" if gap else ""))

    def _put(self, text: str, dim: bool = False) -> None:
        if not text:
            return
        self._last = text[-1]
        if self._terminal:
            text = visible(text)
        put(self._out, f"{_DIM}{text}{_RESET}" if dim else text)
