"""Who may use a sandbox now and who waits, for threads and event loops alike."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future

from pyinfer.errors import QueueFullError


class Places:
    """So many places, and a bounded queue in front of them, first come, first served.

    Parameters
    ----------
    places, queue : int
        Most that hold a place, most that wait for one.
    """

    def __init__(self, places: int, queue: int) -> None:
        self._free = places
        self._queue = queue
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    @property
    def full(self) -> bool:
        """Whether who asks now is refused."""
        return self._free == 0 and len(self._waiting) >= self._queue

    def ask(self) -> Future[None]:
        """A future that is done when the place is there; give it back with :meth:`leave`.

        Raises
        ------
        QueueFullError
            Too many wait.
        """
        ticket: Future[None] = Future()
        with self._lock:
            if self._free:
                self._free -= 1
                ticket.set_result(None)
            elif len(self._waiting) < self._queue:
                self._waiting.append(ticket)
            else:
                raise QueueFullError(
                    f"{self._queue} grammars or templates are waiting already",
                    hint="try again later",
                )
        return ticket

    def leave(self, ticket: Future[None]) -> None:
        """Give a place back, or stop waiting for it."""
        with self._lock:
            if not ticket.cancel() and not ticket.cancelled():
                self._free += 1
            while self._waiting and (self._waiting[0].cancelled() or self._free):
                first = self._waiting.popleft()
                if first.set_running_or_notify_cancel():
                    self._free -= 1
                    first.set_result(None)
            if ticket in self._waiting:
                self._waiting.remove(ticket)
