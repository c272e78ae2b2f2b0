"""Long work in a thread whose progress several clients may watch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Generic, TypeVar

from pyinfer.errors import CancelledError, PyinferError, internal_error

log = logging.getLogger("pyinfer.server")

#: Longest time between two events of a watcher.
TICK_SECONDS = 0.5

_E = TypeVar("_E")


class Job(Generic[_E]):
    """Runs ``work`` in a thread. When nobody watches any more, the next event it tells ends it.

    Parameters
    ----------
    work : callable
        Is given a function that tells an event; raises PyinferError if it fails.
    kind : callable
        Events of the same kind in a row replace each other.
    """

    def __init__(
        self, work: Callable[[Callable[[_E], None]], object], kind: Callable[[_E], object]
    ) -> None:
        self._events: list[_E] = []
        self._kind = kind
        self._watchers = 0
        self._abandoned = False
        self._error: PyinferError | None = None
        self.task = asyncio.create_task(self._run(work))

    async def _run(self, work: Callable[[Callable[[_E], None]], object]) -> None:
        try:
            await asyncio.to_thread(work, self._tell)
        except PyinferError as error:
            self._error = error
        except Exception:
            log.exception("a job failed")
            self._error = internal_error()

    def _tell(self, event: _E) -> None:
        """Called in the thread; appending and replacing are atomic."""
        if self._abandoned:
            raise CancelledError("nobody waits for it any more")
        if self._events and self._kind(self._events[-1]) == self._kind(event):
            self._events[-1] = event
        else:
            self._events.append(event)

    @property
    def usable(self) -> bool:
        """Whether one more client may watch."""
        return not self.task.done() and not self._abandoned

    async def watch(self) -> AsyncGenerator[_E]:
        """Events from the beginning, of each kind at least the last one; raises its error.

        The last event comes again and again while there is no other.
        """
        self._watchers += 1
        place = 0
        shown: _E | None = None
        try:
            while True:
                done = self.task.done()  # asked first, so that no event is missed
                events = self._events[place:]
                fresh = [event for event in events if event is not shown]
                for event in fresh:
                    yield event
                if events:
                    place, shown = place + len(events) - 1, events[-1]
                if done:
                    break
                if not fresh and shown is not None:
                    yield shown
                await asyncio.wait({self.task}, timeout=TICK_SECONDS)
            if self._error is not None:
                raise self._error
        finally:
            self._watchers -= 1
            if not self._watchers:
                self._abandoned = True


class SharedJobs(Generic[_E]):
    """Running jobs by a key, so that whoever wants the same watches the same one."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job[_E]] = {}

    def get(self, key: str, start: Callable[[], Job[_E]]) -> Job[_E]:
        """The job of this key; a new one if none runs or nobody watches it any more."""
        self._jobs = {name: job for name, job in self._jobs.items() if job.usable}
        if key not in self._jobs:
            self._jobs[key] = start()
        return self._jobs[key]
