"""Several answers that run at once, as one stream of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

from pyinfer.server.running_answer import Answer
from pyinfer.server.service import Service
from pyinfer.server.spec import AnswerEvent, GenerateSpec


async def begin(
    service: Service, specs: Sequence[GenerateSpec], stack: AsyncExitStack
) -> list[Answer]:
    """Start a request per spec, all or none; ``stack`` ends them."""
    return [await stack.enter_async_context(await service.generate(spec)) for spec in specs]


async def merged(answers: Sequence[Answer]) -> AsyncIterator[tuple[int, AnswerEvent]]:
    """Number of the answer and event, as they come. The first failure ends the whole."""
    if len(answers) == 1:
        async for event in answers[0]:
            yield 0, event
        return
    queue: asyncio.Queue[tuple[int, AnswerEvent] | BaseException | None] = asyncio.Queue()

    async def forward(number: int, answer: Answer) -> None:
        try:
            async for event in answer:
                queue.put_nowait((number, event))
            queue.put_nowait(None)
        except Exception as error:
            queue.put_nowait(error)

    tasks = [asyncio.create_task(forward(n, answer)) for n, answer in enumerate(answers)]
    try:
        left = len(tasks)
        while left:
            item = await queue.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                left -= 1
            else:
                yield item
    finally:
        for task in tasks:
            task.cancel()
