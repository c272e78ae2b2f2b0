"""What a pull shows on standard error: a bar on a terminal, one line per file elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pyinfer.cli.outcome import note
from pyinfer.cli.terminal import is_terminal, visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from pyinfer.store.pull import PullEvent

_LABEL_COLUMNS = 28
_QUIET = ("fetching", "copying", "verifying", "done")


class PullDisplay:
    """Shows events of a pull; a context manager that leaves the terminal in order."""

    def __init__(self) -> None:
        self._terminal = is_terminal(sys.stderr)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._last = ("", "")

    def __enter__(self) -> PullDisplay:
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, event: PullEvent) -> None:
        """Show one event."""
        now = (event.status, event.file)
        if self._terminal and event.total:
            self._bar(event)
        elif now != self._last and event.status not in ("verifying", "done"):
            file = f" {event.file} ({event.number} of {event.count})" if event.file else ""
            note(visible(f"pyinfer: {event.status}{file}"))
        self._last = now

    def _bar(self, event: PullEvent) -> None:
        label = event.status
        if event.file and event.status in _QUIET:
            label = event.file
            if event.count > 1:
                label = f"{event.number}/{event.count} {label}"
        label = visible(label)
        if len(label) > _LABEL_COLUMNS:
            label = label[: _LABEL_COLUMNS - 1] + "…"
        if self._progress is None:
            self._start(event)
        if self._progress is not None and self._task is not None:
            self._progress.update(
                self._task, description=label, completed=event.done, total=event.total
            )

    def _start(self, event: PullEvent) -> None:
        # Imported here: without a terminal it is not needed.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            expand=True,
        )
        # What an earlier attempt has brought does not count for the rate.
        self._task = self._progress.add_task("", total=event.total, completed=event.done)
        self._progress.start()
