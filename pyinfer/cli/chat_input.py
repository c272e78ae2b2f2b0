"""Lines that a person types: editing, history, blocks between triple quotes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

PROMPT, CONTINUED = ">>> ", "... "
QUOTES = '"""'
MAX_HISTORY = 1_000


def history_file() -> Path:
    """Where the lines of earlier chats are kept."""
    state = os.environ.get("XDG_STATE_HOME")
    folder = Path(state) if state else Path.home() / ".local" / "state"
    return folder / "pyinfer" / "history"


class LineReader:
    """Reads what the user says; a context manager that loads and saves the history.

    Parameters
    ----------
    words : sequence of str
        What the tab key completes at the start of a line.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = sorted(words)
        self._file: Path | None = None
        self.keep_history = True

    def __enter__(self) -> LineReader:
        with contextlib.suppress(ImportError, OSError, RuntimeError):
            import readline

            self._file = history_file()
            readline.set_completer(self._complete)
            readline.set_completer_delims("\n")
            readline.parse_and_bind("tab: complete")
            readline.set_history_length(MAX_HISTORY)
            readline.read_history_file(self._file)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is None or not self.keep_history:
            return
        with contextlib.suppress(ImportError, OSError):
            import readline

            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            readline.write_history_file(self._file)
            self._file.chmod(0o600)

    def _complete(self, text: str, state: int) -> str | None:
        found = [word for word in self._words if word.startswith(text)]
        return found[state] if state < len(found) else None

    def read(self) -> str:
        """One message: a line, or a block that begins and ends with triple quotes.

        Raises
        ------
        EOFError
            Ctrl-D.
        KeyboardInterrupt
            Ctrl-C; what was typed is given up.
        """
        line = input(PROMPT)
        stripped = line.strip()
        if not stripped.startswith(QUOTES):
            return stripped
        return "\n".join(self._block(stripped[len(QUOTES) :])).strip("\n")

    def _block(self, line: str) -> Iterator[str]:
        while not line.rstrip().endswith(QUOTES):
            yield line
            line = input(CONTINUED)
        yield line.rstrip()[: -len(QUOTES)]
