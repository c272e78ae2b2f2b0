"""Long work that several clients watch."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pyinfer.errors import CancelledError, StoreFullError
from pyinfer.serving.jobs import Job, SharedJobs

Line = dict[str, Any]
Tell = Callable[[Line], None]


def start(work: Callable[[Tell], None]) -> Job[Line]:
    """A job whose lines of the same status replace each other."""
    return Job(work, lambda line: line["status"])


async def watched(job: Job[Line]) -> list[Line]:
    return [line async for line in job.watch()]


def test_every_status_is_seen_and_the_last_state_of_each() -> None:
    def work(tell: Tell) -> None:
        tell({"status": "a"})
        for done in range(100):
            tell({"status": "b", "completed": done})
        tell({"status": "c"})

    async def run() -> None:
        job = start(work)
        first, second = await asyncio.gather(watched(job), watched(job))
        for lines in (first, second):
            assert list(dict.fromkeys(line["status"] for line in lines)) == [
                "a", "b", "c",
            ]  # fmt: skip
            assert {"status": "b", "completed": 99} in lines
        assert [line["status"] for line in await watched(job)] == ["a", "b", "c"]

    asyncio.run(run())


def test_lines_come_while_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyinfer.serving.jobs.TICK_SECONDS", 0.01)
    going = threading.Event()

    def work(tell: Tell) -> None:
        tell({"status": "a"})
        going.wait()

    async def run() -> None:
        job = start(work)
        async with contextlib.aclosing(job.watch()) as lines:
            # The same line again and again: clients see that it lives.
            assert [(await anext(lines))["status"] for _ in range(5)] == ["a"] * 5
            going.set()
            assert [line async for line in lines] in ([], [{"status": "a"}])

    asyncio.run(run())


def test_errors_end_the_lines() -> None:
    def work(tell: Tell) -> None:
        tell({"status": "a"})
        raise StoreFullError("full")

    def bug(tell: Tell) -> None:
        raise KeyError("x")

    async def run() -> None:
        job = start(work)
        for _ in range(2):
            with pytest.raises(StoreFullError):
                await watched(job)
        with pytest.raises(Exception, match="internal error"):
            await watched(start(bug))

    asyncio.run(run())


def test_it_ends_when_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyinfer.serving.jobs.TICK_SECONDS", 0.01)
    ended = threading.Event()

    def work(tell: Tell) -> None:
        try:
            while True:
                tell({"status": "a"})
        except CancelledError:
            ended.set()
            raise

    async def run() -> None:
        job = start(work)
        one, other = job.watch(), job.watch()
        await anext(one)
        await anext(other)
        await one.aclose()
        assert job.usable
        await other.aclose()
        assert not job.usable
        await job.task
        assert ended.is_set()

    asyncio.run(run())


def test_the_same_key_is_the_same_job_while_it_runs() -> None:
    going = threading.Event()

    async def run() -> None:
        jobs: SharedJobs[Line] = SharedJobs()
        first = jobs.get("a", lambda: start(lambda tell: going.wait()))
        assert jobs.get("a", lambda: start(lambda tell: None)) is first
        assert jobs.get("b", lambda: start(lambda tell: None)) is not first
        going.set()
        assert await watched(first) == []
        assert jobs.get("a", lambda: start(lambda tell: None)) is not first

    asyncio.run(run())
