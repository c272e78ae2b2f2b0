"""Threads that render, tokenise and read files, so that the event loop never does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

#: Threads for everything that is done soon.
THREADS = 4
#: Requests with more text wait for each other, on a thread of their own: neither their memory
#: adds up, nor do short requests wait behind them.
LONG_CHARS = 1 << 18

_T = TypeVar("_T")


class TextThreads:
    """The threads of one service.

    Attributes
    ----------
    short : ThreadPoolExecutor
        For work that is done soon, reading files too.
    """

    def __init__(self) -> None:
        self.short = ThreadPoolExecutor(THREADS, "pyinfer-text")
        self._long = ThreadPoolExecutor(1, "pyinfer-long-text")

    async def run(self, texts: object, function: Callable[..., _T], *arguments: Any) -> _T:
        """Call a function that works on ``texts``: strings in lists and dictionaries."""
        pool = self._long if characters(texts, LONG_CHARS) > LONG_CHARS else self.short
        work = partial(function, *arguments)
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    def close(self) -> None:
        """Take no more work; what runs may end."""
        for pool in (self.short, self._long):
            pool.shutdown(wait=False, cancel_futures=True)


def characters(value: object, most: int) -> int:
    """Characters of all strings in a value; the count ends somewhere above ``most``.

    Examples
    --------
    >>> characters([{"role": "user", "content": "Hi"}, 7, None], 100)
    6
    """
    total = 0
    waiting: list[object] = [value]
    while waiting and total <= most:
        item = waiting.pop()
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, Iterable) and not isinstance(item, bytes):
            waiting.extend(item)
    return total
