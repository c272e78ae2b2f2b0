"""Progress bars on standard error; nothing at all when it is no terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pyinfer.cli.terminal import is_terminal, visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

#: Shorter prompts are evaluated before a bar could be read.
MIN_PROMPT_TOKENS = 256


class ProgressBar:
    """One bar that appears with its first report and disappears at the end.

    Parameters
    ----------
    label : str
        What is going on.
    unit : {"bytes", "tokens", "windows", "answers"}
        What the reported numbers count.
    """

    def __init__(self, label: str, unit: str) -> None:
        self._label = visible(label)
        self._unit = unit
        self._shown = is_terminal(sys.stderr)
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def report(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` units are finished."""
        if not self._shown or total <= 0:
            return
        if self._progress is None:
            self._start(total)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total)

    def describe(self, label: str) -> None:
        """Say what is going on in other words."""
        self._label = visible(label)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=self._label)

    def close(self) -> None:
        """Remove the bar; the cursor is back where the bar began."""
        progress, self._progress = self._progress, None
        if progress is not None:
            progress.stop()

    def _start(self, total: int) -> None:
        # Imported here: a run without a terminal never needs it.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        amount = DownloadColumn() if self._unit == "bytes" else MofNCompleteColumn()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            amount,
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task(self._label, total=total)
        self._progress.start()
