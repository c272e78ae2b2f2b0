"""The engine's process: it crashes, it hangs, it ends with the server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from pyinfer.errors import EngineError
from pyinfer.serving import engine_process
from pyinfer.serving.engine_process import how_it_ended
from pyinfer.serving.service import Service

from .services import (
    ask,
    assert_nothing_left,
    complete,
    endless,
    first_piece,
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
                with pytest.raises(EngineError, match=f"killed by {number.name}"):
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
