"""A grammar that cannot be compiled holds up nobody but its own request."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from pyinfer.errors import QueueFullError, RequestError, UnavailableError
from pyinfer.text.grammar import Grammar, schema_grammar
from pyinfer.text.grammar_check import CHECKER
from pyinfer.text.sandbox.pool import LimitError

from ..text.sandbox.workers import jobs_of, pool, server_pid
from .services import (
    ask,
    assert_nothing_left,
    complete,
    endless,
    first_piece,
    idle,
    run,
    running_service,
    until,
)

pytest.importorskip("llguidance", reason="grammars need the extra [server]")

HANGING = ask("x", grammar=Grammar("regex", "sleep", "format"))


def hang(folder: Path, monkeypatch: pytest.MonkeyPatch, **options: int) -> None:
    """Let the compiler be one that never ends."""
    monkeypatch.setattr(CHECKER, "pool", pool(folder, always="sleep", **options))


def test_streams_go_on_and_a_cancelled_request_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang(tmp_path, monkeypatch)

    async def work() -> None:
        async with running_service(parallel=8) as service:
            async with await service.generate(endless()) as stream:
                await first_piece(stream)
                hanging = [asyncio.create_task(service.generate(HANGING)) for _ in range(6)]
                await until(lambda: CHECKER.pool.running == 2)
                await until(lambda: len(jobs_of(server_pid(CHECKER.pool))) == 2)
                assert service.ready
                for _ in range(20):
                    await first_piece(stream)
                # More than the text threads, and yet others are prepared.
                assert (await complete(service, ask()))[0].reason == "stop"
                assert not any(task.done() for task in hanging)
                for task in hanging:
                    task.cancel()
                await asyncio.gather(*hanging, return_exceptions=True)
            await until(lambda: idle(service))
            await until(lambda: not jobs_of(server_pid(CHECKER.pool)))
            assert CHECKER.pool.running == 0
            assert_nothing_left(service)

    run(work)


def test_answers_go_on_while_templates_do_their_worst(tmp_path: Path) -> None:
    bombs = pool(tmp_path, cpu=2, memory=512 << 20, wall=2.0)

    async def work() -> None:
        async with running_service() as service:
            for do in ("spin", "allocate", "sleep"):
                request = json.dumps({"do": do}).encode()
                running = [asyncio.to_thread(bombs.run, request, 1000) for _ in range(2)]
                ends = asyncio.gather(*running, return_exceptions=True)
                answers = 0
                while not ends.done():
                    assert (await complete(service, ask()))[0].reason == "stop"
                    answers += 1
                assert answers > 0
                assert [type(end) for end in await ends] == [LimitError] * 2

    run(work)


def test_a_full_pool_shows_in_readiness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hang(tmp_path, monkeypatch, places=1, queue=1)

    async def work() -> None:
        async with running_service(parallel=8) as service:
            await service.load("")
            hanging = [asyncio.create_task(service.generate(HANGING)) for _ in range(2)]
            await until(lambda: not CHECKER.pool.ready)
            assert not service.ready
            with pytest.raises(QueueFullError):
                await service.generate(HANGING)
            hanging[0].cancel()
            await until(lambda: service.ready)
            assert (await complete(service, ask()))[0].reason == "stop"
            hanging[1].cancel()
            await asyncio.gather(*hanging, return_exceptions=True)

    run(work)


def test_the_end_of_the_server_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hang(tmp_path, monkeypatch)

    async def work() -> None:
        async with running_service() as service:
            hanging = asyncio.create_task(service.generate(HANGING))
            await until(lambda: CHECKER.pool.running)
            await service.drain(0)
            with pytest.raises(UnavailableError):
                await hanging
            await until(lambda: not jobs_of(server_pid(CHECKER.pool)))

    run(work)


def test_the_real_compiler_refuses_and_lets_pass() -> None:
    async def work() -> None:
        async with running_service() as service:
            with pytest.raises(RequestError, match="not supported"):
                await service.generate(ask("x", grammar=schema_grammar({"not": {}})))
            answer = await complete(service, ask("x", grammar=Grammar("choice", '["yes"]')))
            assert answer[0].generation.text == "yes"
            await until(lambda: idle(service))
            assert_nothing_left(service)

    run(work)
