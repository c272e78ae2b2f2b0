"""Places and the queue in front of them."""

from __future__ import annotations

import asyncio

import pytest

from pyinfer.errors import QueueFullError
from pyinfer.serving.admission import Admission, Gate

from .services import run


def test_nobody_needs_more_places_than_there_are() -> None:
    async def work() -> None:
        gate = Gate(2)
        assert await gate.enter(9, 1) == [0, 1]

    run(work)


def test_big_requests_are_not_overtaken() -> None:
    async def work() -> None:
        gate = Gate(3)
        assert await gate.enter(2, 100) == [0, 1]
        big = asyncio.create_task(gate.enter(3, 100))
        small = asyncio.create_task(gate.enter(1, 100))
        await asyncio.sleep(0)
        assert (gate.waiting, gate.free) == (2, 1)
        gate.leave([0, 1])
        assert await big == [0, 1, 2]
        assert not small.done()
        gate.leave([1])
        assert await small == [1]

    run(work)


def test_lower_priority_numbers_first_then_arrival() -> None:
    async def work() -> None:
        gate = Gate(1)
        places = await gate.enter(1, 100)
        served: list[str] = []

        async def wait(name: str, priority: int) -> None:
            held = await gate.enter(1, 100, priority)
            served.append(name)
            gate.leave(held)

        wanted = [("a", 0), ("b", 5), ("c", -1), ("d", 0), ("e", -1)]
        async with asyncio.TaskGroup() as group:
            for name, priority in wanted:
                group.create_task(wait(name, priority))
            await asyncio.sleep(0)
            assert gate.waiting == 5
            gate.leave(places)
        assert served == ["c", "e", "a", "d", "b"]

    run(work)


def test_who_gives_up_does_not_block_the_next() -> None:
    async def work() -> None:
        gate = Gate(2)
        first = await gate.enter(1, 100)
        cancelled = asyncio.create_task(gate.enter(2, 100))
        late = asyncio.create_task(gate.enter(2, 0.01))
        small = asyncio.create_task(gate.enter(1, 100))
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(QueueFullError):
            await late
        assert await small == [1]
        gate.leave([*first, 1])
        assert (gate.free, gate.waiting) == (2, 0)

    run(work)


def test_cancelled_in_the_moment_of_admission() -> None:
    async def work() -> None:
        gate = Gate(1)
        places = await gate.enter(1, 100)
        waiting = asyncio.create_task(gate.enter(1, 100))
        await asyncio.sleep(0)
        gate.leave(places)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (gate.free, gate.waiting) == (1, 0)

    run(work)


def test_more_than_run_and_wait_are_refused() -> None:
    admission = Admission(2, 3)
    for _ in range(5):
        admission.enter()
    assert admission.full
    with pytest.raises(QueueFullError) as full:
        admission.enter()
    assert 1 <= full.value.retry_after <= 60
    for _ in range(50):
        admission.leave(30.0)
        admission.enter()
    assert admission.retry_after() == 60
    admission.leave()
    assert not admission.full


@pytest.mark.parametrize(
    ("parallel", "waiting", "seconds", "expected"),
    [
        (1, 0, 0.001, 1),
        (1, 0, 8.0, 8),
        (1, 3, 8.0, 32),
        (4, 3, 8.0, 8),
        (4, 4, 8.0, 10),
        (32, 512, 2.0, 33),
        (32, 512, 30.0, 60),
        (1, 512, 1e9, 60),
    ],
)
def test_clients_come_again_when_those_before_them_have_begun(
    parallel: int, waiting: int, seconds: float, expected: int
) -> None:
    admission = Admission(parallel, 1000)
    for _ in range(200):  # until the mean is the time
        admission.enter()
        admission.leave(seconds)
    for _ in range(parallel + waiting):
        admission.enter()
    assert admission.retry_after() == expected
