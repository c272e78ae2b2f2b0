"""Who may run and who waits: a bounded queue in front of the places of each model."""

from __future__ import annotations

import asyncio
import heapq
import math
from bisect import insort
from dataclasses import dataclass

from pyinfer.errors import QueueFullError

_LONGEST_RETRY = 60.0
_SHARE_OF_NEW = 0.2


@dataclass(slots=True, eq=False)
class _Waiting:
    priority: int
    count: int
    places: asyncio.Future[list[int]]


def _priority(waiting: _Waiting) -> int:
    return waiting.priority


class Gate:
    """The places for running sequences of one model: lowest priority number first, then arrival.

    Parameters
    ----------
    places : int
    """

    def __init__(self, places: int) -> None:
        self.places = places
        self._free = list(range(places))
        self._waiting: list[_Waiting] = []

    @property
    def free(self) -> int:
        """Places that nobody has."""
        return len(self._free)

    @property
    def waiting(self) -> int:
        """Requests that wait for places."""
        return len(self._waiting)

    async def enter(self, count: int, timeout: float, priority: int = 0) -> list[int]:
        """Wait for ``count`` places (at most all of them) and return their numbers.

        Who waits with a lower ``priority`` is served first.

        Raises
        ------
        QueueFullError
            They did not become free in time.
        """
        count = min(count, self.places)
        if not self._waiting and len(self._free) >= count:
            return self._take(count)
        future: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        entry = _Waiting(priority, count, future)
        insort(self._waiting, entry, key=_priority)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except BaseException as error:
            if future.done() and not future.cancelled():
                self.leave(future.result())
            elif entry in self._waiting:
                self._waiting.remove(entry)
                self._serve()
            if isinstance(error, TimeoutError):
                raise QueueFullError(
                    f"no place became free within {timeout:g} s", hint="try again later"
                ) from None
            raise

    def leave(self, places: list[int]) -> None:
        """Give places back."""
        for place in places:
            heapq.heappush(self._free, place)
        self._serve()

    def _take(self, count: int) -> list[int]:
        return [heapq.heappop(self._free) for _ in range(count)]

    def _serve(self) -> None:
        while self._waiting:
            first = self._waiting[0]
            if first.places.done():
                self._waiting.pop(0)
            elif len(self._free) >= first.count:
                self._waiting.pop(0)
                first.places.set_result(self._take(first.count))
            else:
                return


class Admission:
    """Counts open requests of all models and refuses more than run and wait at most.

    Parameters
    ----------
    parallel, max_queue : int
        Most that run (of one model) and most that wait.
    """

    def __init__(self, parallel: int, max_queue: int) -> None:
        self._parallel = parallel
        self._max_queue = max_queue
        self._mean_seconds = 1.0
        self.open = 0

    @property
    def full(self) -> bool:
        """Whether a request would be refused now."""
        return self.open >= self._parallel + self._max_queue

    def enter(self) -> None:
        """Count one request.

        Raises
        ------
        QueueFullError
            Too many are open.
        """
        if self.full:
            error = QueueFullError(
                "server busy, please try again.  maximum pending requests exceeded"
            )
            error.retry_after = self.retry_after()
            raise error
        self.open += 1

    def leave(self, seconds: float | None = None) -> None:
        """A request ended, after so many seconds of work if it ran to its end."""
        self.open -= 1
        if seconds is not None:
            self._mean_seconds += _SHARE_OF_NEW * (seconds - self._mean_seconds)

    def retry_after(self) -> int:
        """Seconds after which a refused client may try again: until those before it have begun.

        So many as wait, and itself, each after the mean time of a request over all places.
        """
        waiting = max(0, self.open - self._parallel)
        seconds = (waiting + 1) * self._mean_seconds / self._parallel
        return math.ceil(max(1.0, min(seconds, _LONGEST_RETRY)))
