"""Several streams as one: everything arrives, in order within each, and a failure ends all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pyinfer.serving.interleave import interleaved

from .services import run


async def numbers(count: int, fails: bool = False) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(0)
        yield number
    if fails:
        raise ValueError("broken")


@pytest.mark.parametrize("counts", [(4,), (3, 0, 5)])
def test_all_items_in_order(counts: tuple[int, ...]) -> None:
    async def work() -> list[tuple[int, int]]:
        return [pair async for pair in interleaved([numbers(count) for count in counts])]

    found = run(work)
    for stream, count in enumerate(counts):
        assert [item for number, item in found if number == stream] == list(range(count))
    assert len(found) == sum(counts)


@pytest.mark.parametrize("others", [0, 2])
def test_a_failure_ends_the_whole(others: int) -> None:
    async def work() -> None:
        endless = [numbers(1 << 30) for _ in range(others)]
        async for _ in interleaved([numbers(2, fails=True), *endless]):
            pass

    with pytest.raises(ValueError, match="broken"):
        run(work)
