"""A service on the embedded model for tests, and what they ask of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from pyinfer import SamplingParams
from pyinfer.requests.answer import Chunk, Finished
from pyinfer.requests.spec import GenerateSpec
from pyinfer.serving.running_answer import Answer
from pyinfer.serving.service import Service
from pyinfer.serving.settings import ServerSettings

GREEDY = SamplingParams(temperature=0, max_tokens=60)
QUESTION = [{"role": "user", "content": "Which is larger, 9.11 or 9.9?"}]
#: A busy machine may pause a process for minutes; a test that hangs ends all the same.
PATIENCE = 300.0


def ask(text: str = "", **options: Any) -> GenerateSpec:
    """A request, greedy and short unless it says otherwise."""
    if "prompt" not in options and "messages" not in options:
        options["messages"] = [{"role": "user", "content": text}] if text else QUESTION
    return GenerateSpec(**{"params": GREEDY, **options})


def endless(**options: Any) -> GenerateSpec:
    """A request that runs until the context is full."""
    params = SamplingParams(temperature=1.0, seed=7, ignore_eos=True)
    return GenerateSpec(prompt="Count: 1 2 3", params=params, **options)


@contextlib.asynccontextmanager
async def running_service(**settings: Any) -> AsyncIterator[Service]:
    """A started service, closed after the block."""
    service = Service(ServerSettings(**settings))
    await service.start()
    try:
        yield service
    finally:
        await service.drain(0)


def run(work: Callable[[], Any]) -> Any:
    """Run a coroutine function to its end."""

    async def limited() -> Any:
        async with asyncio.timeout(PATIENCE):
            return await work()

    return asyncio.run(limited())


async def complete(service: Service, spec: GenerateSpec) -> list[Finished]:
    """All answers to one request."""
    async with await service.generate(spec) as answer:
        return await answer.finish()


async def tokens_of(service: Service, spec: GenerateSpec) -> list[int]:
    """Generated tokens of the only answer."""
    return (await complete(service, spec))[0].generation.token_ids


async def first_piece(answer: Answer) -> Chunk:
    """Read until there is some text."""
    async for event in answer:
        if isinstance(event, Chunk):
            return event
    raise AssertionError("the answer has no text")


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


def assert_nothing_left(service: Service) -> None:
    """No request, place, user or cache block is in use; blocks of the prefix cache are free."""
    stats = service.stats()
    assert (stats.running, stats.waiting) == (0, 0)
    assert service._admission.open == 0
    for loaded in service.models.loaded:
        assert loaded.users == 0
        assert loaded.gate is not None
        assert loaded.gate.free == loaded.gate.places
        assert loaded.process is not None
        assert loaded.process.open_requests == 0
        engine = loaded.process.stats
        assert (engine.running, engine.waiting) == (0, 0)
        assert engine.kv_free == engine.kv_blocks


def idle(service: Service) -> bool:
    """Whether the engines have ended everything, as far as they have told."""
    return all(
        model.process is not None
        and model.process.stats.running + model.process.stats.waiting == 0
        and model.process.stats.kv_free == model.process.stats.kv_blocks
        for model in service.models.loaded
    )
