"""The engine's process: it crashes, it hangs, it ends with the server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from pyinfer.errors import EngineError, EngineLostError
from pyinfer.serving import engine_process
from pyinfer.serving.engine_process import how_it_ended
from pyinfer.serving.running_answer import Answer
from pyinfer.serving.service import Service

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


def _pid(service: Service) -> int:
    process = service.models.loaded[0].process
    assert process is not None
    return process.pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_crash_fails_what_runs_and_the_next_request_loads_again(number: signal.Signals) -> None:
    async def work() -> None:
        async with running_service(parallel=2) as service:
            expected = await complete(service, ask())
            async with await service.generate(endless(n=2)) as answer:
                await first_piece(answer)
                queued = asyncio.create_task(complete(service, ask()))
                await until(lambda: service.stats().models[0].waiting)
                first = _pid(service)
                os.kill(first, number)
                with pytest.raises(EngineLostError, match=f"killed by {number.name}"):
                    async for _ in answer:
                        pass
            # Who waited for a place runs on the new process, as does who comes now.
            assert (await queued)[0].generation.token_ids == expected[0].generation.token_ids
            assert (await complete(service, ask()))[0].generation.text == expected[
                0
            ].generation.text
            assert _pid(service) != first
            await until(lambda: not service.stats().running)
            assert_nothing_left(service)

    run(work)


def test_a_stopped_process_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_process, "SILENCE_SECONDS", 2.5)

    async def work() -> None:
        async with running_service() as service:
            await service.load("", -1)
            await until(lambda: service.ready)
            os.kill(_pid(service), signal.SIGSTOP)
            await until(lambda: not service.ready)
            waiting = asyncio.create_task(complete(service, ask()))
            await asyncio.sleep(0.05)
            os.kill(_pid(service), signal.SIGCONT)
            assert (await waiting)[0].reason == "stop"
            await until(lambda: service.ready)

    run(work)


def test_who_waits_for_a_stopped_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with running_service(parallel=2) as service:
            await complete(service, ask())
            async with await service.generate(endless()) as answer:
                await first_piece(answer)
                first = _pid(service)
                os.kill(first, signal.SIGSTOP)
                monkeypatch.setattr(engine_process, "WATCH_SECONDS", 0.01)
                monkeypatch.setattr(engine_process, "SILENT_LOOKS", 20)
                second = asyncio.create_task(complete(service, ask()))
                with pytest.raises(EngineLostError, match="SIGKILL"):
                    async for _ in answer:
                        pass
                monkeypatch.undo()
            with contextlib.suppress(EngineLostError):
                await second
            assert (await complete(service, ask()))[0].reason == "stop"
            assert _pid(service) != first
            await until(lambda: not service.stats().running)
            assert_nothing_left(service)

    run(work)


def test_a_process_stopped_while_it_loads_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_process, "WATCH_SECONDS", 0.01)

    async def work() -> None:
        async with running_service() as service:
            loading = asyncio.create_task(service.load(""))
            await until(lambda: service.models.loaded and service.models.loaded[0].process)
            process = service.models.loaded[0].process
            assert process is not None
            await until(lambda: process.pid)
            os.kill(process.pid, signal.SIGSTOP)
            monkeypatch.setattr(engine_process, "STUCK_LOOKS", 20)
            with pytest.raises(EngineLostError, match="SIGKILL"):
                await loading
            monkeypatch.undo()
            await service.load("")

    run(work)


def test_the_process_ends_with_the_server_whatever_happens() -> None:
    program = """
import asyncio, sys, time
from pyinfer.serving.service import Service

async def main():
    service = Service()
    await service.load("")
    print(service.models.loaded[0].process.pid, flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=os.environ
    ) as server:
        assert server.stdout is not None
        child = int(server.stdout.readline())
        os.kill(child, signal.SIGSTOP)
        server.kill()
    wait_for_end(child)


def wait_for_end(pid: int) -> None:
    """Return when a process that is no child of ours has ended."""
    fd = os.pidfd_open(pid) if _exists(pid) else None
    if fd is not None:
        import select

        readable, _, _ = select.select([fd], [], [], 300)
        os.close(fd)
        assert readable


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_ends_in_words() -> None:
    assert how_it_ended(-11) == "killed by SIGSEGV"
    assert how_it_ended(-63) == "killed by signal 63"
    assert how_it_ended(3) == "status 3"


# The child with one place broken as soon as a file exists, so that the test says when.
_BROKEN = """
import os, sys; sys.path[:] = sys.argv[3:]
from pyinfer.serving import engine_child
from pyinfer.serving.engine_child import EngineChild, main

def breaking(function):
    def broken(*arguments, **options):
        if os.path.exists({flag!r}):
            raise {error}("no room")
        return function(*arguments, **options)
    return broken

{owner}.{name} = breaking({owner}.{name})
main(int(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        ("EngineChild", "_after_events", "MemoryError"),  # the engine's thread
        ("EngineChild", "_send", "MemoryError"),  # whichever thread sends first
        ("engine_child", "resident_bytes", "SystemExit"),  # the heartbeat or the engine
        ("EngineChild", "_submit", "MemoryError"),  # the main thread
        ("EngineChild", "_submit", "KeyboardInterrupt"),
    ],
)
def test_the_process_ends_with_any_of_its_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, owner: str, name: str, error: str
) -> None:
    flag = tmp_path / "broken"
    program = _BROKEN.format(flag=str(flag), owner=owner, name=name, error=error)
    monkeypatch.setattr(engine_process, "_PROGRAM", program)

    async def work() -> None:
        async with running_service(parallel=2) as service:
            expected = await complete(service, ask())
            async with await service.generate(endless()) as answer:
                await first_piece(answer)
                first = _pid(service)
                flag.touch()
                second = asyncio.create_task(complete(service, ask()))
                with pytest.raises(EngineLostError, match="status 70"):
                    async for _ in answer:
                        pass
            flag.unlink()
            with contextlib.suppress(EngineLostError):  # it may have come to the next process
                await second
            assert (await complete(service, ask()))[0].generation.text == expected[
                0
            ].generation.text
            assert _pid(service) != first
            await until(lambda: not service.stats().running)
            assert_nothing_left(service)

    run(work)


@pytest.mark.parametrize("name", ["recv", "send"])
def test_a_thread_of_the_server_that_fails_takes_the_process_along(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    broken = threading.Event()

    class Connection(engine_process.Connection):
        pass

    function = getattr(engine_process.Connection, name)

    def sometimes(*arguments: Any) -> Any:
        if broken.is_set():
            raise MemoryError("no room")
        return function(*arguments)

    setattr(Connection, name, sometimes)
    monkeypatch.setattr(engine_process, "Connection", Connection)

    async def work() -> None:
        async with running_service() as service:
            await complete(service, ask())
            async with await service.generate(endless()) as answer:
                await first_piece(answer)
                first = _pid(service)
                broken.set()
                second = asyncio.create_task(complete(service, ask()))
                with pytest.raises(EngineLostError):
                    async for _ in answer:
                        pass
            broken.clear()
            with contextlib.suppress(EngineLostError):
                await second
            assert (await complete(service, ask()))[0].reason == "stop"
            assert _pid(service) != first
            await until(lambda: not service.stats().running)
            assert_nothing_left(service)

    run(work)


def test_a_listener_that_fails_costs_nobody_else_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    note = Answer._note_tokens
    victims: list[Answer] = []

    def sometimes(self: Answer, *arguments: Any) -> None:
        if self in victims:
            raise MemoryError("no room")
        note(self, *arguments)

    monkeypatch.setattr(Answer, "_note_tokens", sometimes)

    async def work() -> None:
        async with running_service(parallel=2) as service:
            expected = await complete(service, ask())
            async with await service.generate(endless()) as answer:
                victims.append(answer)
                good = asyncio.create_task(complete(service, ask()))
                with pytest.raises(EngineError, match="lost"):
                    async for _ in answer:
                        pass
            assert (await good)[0].generation.text == expected[0].generation.text
            await until(lambda: not service.stats().running)
            await until(lambda: idle(service))
            assert_nothing_left(service)

    run(work)
