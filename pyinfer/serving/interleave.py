"""Several asynchronous streams as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import TypeVar

_T = TypeVar("_T")


async def interleaved(streams: Sequence[AsyncIterable[_T]]) -> AsyncIterator[tuple[int, _T]]:
    """Number of the stream and item, as they come. The first failure ends the whole."""
    if len(streams) == 1:
        async for item in streams[0]:
            yield 0, item
        return
    queue: asyncio.Queue[tuple[int, _T] | BaseException | None] = asyncio.Queue()

    async def forward(number: int, stream: AsyncIterable[_T]) -> None:
        try:
            async for item in stream:
                queue.put_nowait((number, item))
            queue.put_nowait(None)
        except Exception as error:
            queue.put_nowait(error)

    tasks = [asyncio.create_task(forward(n, stream)) for n, stream in enumerate(streams)]
    try:
        left = len(tasks)
        while left:
            found = await queue.get()
            if isinstance(found, BaseException):
                raise found
            if found is None:
                left -= 1
            else:
                yield found
    finally:
        for task in tasks:
            task.cancel()
