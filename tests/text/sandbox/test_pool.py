"""Whatever the code in the sandbox does: one typed error, and the next job finds all well."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from pyinfer.errors import EngineError, QueueFullError
from pyinfer.text.sandbox.pool import LimitError, SandboxPool

from .workers import PATIENCE, jobs_of, pool, server_pid, wait_for

MOST = 1 << 16


def ask(sandbox: SandboxPool, do: str = "", **more: Any) -> Any:
    return json.loads(sandbox.run(json.dumps({"do": do, **more}).encode(), MOST))


@pytest.fixture
def sandbox(tmp_path: Path) -> SandboxPool:
    return pool(tmp_path)


def test_jobs_know_nothing_of_each_other(sandbox: SandboxPool) -> None:
    first, second = ask(sandbox, "a"), ask(sandbox, "b")
    assert first["seen"] == ["load", "a"]
    assert second["seen"] == ["load", "b"]
    assert len({first["pid"], second["pid"], os.getpid()}) == 3


@pytest.mark.parametrize(
    ("do", "message"),
    [
        ("spin", "limit of time"),
        ("allocate", "limit of memory"),
        ("abort", "limit of memory"),  # how native code ends without memory
        ("segfault", "crashed"),
        ("raise", "crashed"),
    ],
)
def test_what_breaks_a_limit_is_refused(sandbox: SandboxPool, do: str, message: str) -> None:
    with pytest.raises(LimitError, match=message) as caught:
        ask(sandbox, do)
    assert caught.value.lasting
    assert "secret" not in str(caught.value)
    assert ask(sandbox, "after")["seen"] == ["load", "after"]


def test_the_wall_clock_ends_what_uses_no_time(tmp_path: Path) -> None:
    sandbox = pool(tmp_path, wall=0.2)
    with pytest.raises(LimitError, match=r"longer than 0\.2 s") as caught:
        ask(sandbox, "sleep")
    assert not caught.value.lasting
    wait_for(lambda: not jobs_of(server_pid(sandbox)))


def test_memory_is_counted_from_the_start(tmp_path: Path) -> None:
    sandbox = pool(tmp_path, memory=256 << 20)
    assert len(ask(sandbox, "long", length=MOST - 100)["text"]) == MOST - 100


def test_answers_have_a_longest_length(sandbox: SandboxPool) -> None:
    with pytest.raises(LimitError, match="longer than 65,536 bytes"):
        ask(sandbox, "long", length=MOST)
    assert ask(sandbox)["seen"] == ["load", ""]


def test_what_the_code_prints_goes_nowhere(
    sandbox: SandboxPool, capfd: pytest.CaptureFixture[str]
) -> None:
    ask(sandbox, "print")
    assert capfd.readouterr() == ("", "")


def test_a_job_has_no_files_and_no_environment(sandbox: SandboxPool) -> None:
    assert ask(sandbox, "escape")["tries"] == ["OSError", "OSError", "OSError", None]


def test_large_requests_arrive(sandbox: SandboxPool) -> None:
    assert ask(sandbox, filler="x" * (4 << 20))["seen"] == ["load", ""]


def test_a_request_that_is_not_read_is_no_hang(sandbox: SandboxPool) -> None:
    with pytest.raises(LimitError):
        sandbox.run(b"[" * (4 << 20), MOST)
    assert ask(sandbox)["seen"] == ["load", ""]


def test_a_killed_fork_server_is_replaced(sandbox: SandboxPool) -> None:
    ask(sandbox)
    first = server_pid(sandbox)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: sandbox._server is not None and not sandbox._server.alive)
    ask(sandbox)
    assert server_pid(sandbox) != first


def test_its_death_in_the_middle_is_an_error(sandbox: SandboxPool) -> None:
    failures: list[BaseException] = []

    def job() -> None:
        try:
            ask(sandbox, "sleep")
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=job)
    thread.start()
    wait_for(lambda: sandbox._server is not None and jobs_of(server_pid(sandbox)))
    (orphan,) = jobs_of(server_pid(sandbox))
    os.kill(server_pid(sandbox), signal.SIGKILL)
    os.kill(orphan, signal.SIGKILL)
    thread.join(PATIENCE)
    assert [type(error) for error in failures] == [EngineError]


def test_a_cancelled_task_kills_its_job(sandbox: SandboxPool) -> None:
    async def work() -> None:
        task = asyncio.ensure_future(sandbox.arun(b'{"do": "sleep"}', MOST))
        while not (sandbox.running and jobs_of(server_pid(sandbox))):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sandbox.running == 0
        answer = json.loads(await sandbox.arun(b'{"do": "next"}', MOST))
        assert answer["seen"] == ["load", "next"]

    asyncio.run(work())
    wait_for(lambda: not jobs_of(server_pid(sandbox)))


def test_the_queue_is_bounded_and_shows_in_readiness(tmp_path: Path) -> None:
    sandbox = pool(tmp_path, places=1, queue=2)

    async def work() -> None:
        sleepers = [asyncio.ensure_future(sandbox.arun(b'{"do": "sleep"}', MOST)) for _ in range(3)]
        while not sandbox.running:
            await asyncio.sleep(0.01)
        assert not sandbox.ready
        with pytest.raises(QueueFullError):
            await sandbox.arun(b"{}", MOST)
        with pytest.raises(QueueFullError):
            await asyncio.to_thread(ask, sandbox)
        sleepers[2].cancel()  # one that waits
        await asyncio.sleep(0)
        assert sandbox.ready
        for task in sleepers:  # one that runs: the next one takes its place, and goes too
            task.cancel()
        await asyncio.gather(*sleepers, return_exceptions=True)
        assert await asyncio.gather(*(sandbox.arun(b'{"do": ""}', MOST) for _ in range(3)))
        assert (sandbox.running, sandbox.ready) == (0, True)

    asyncio.run(work())


def test_nothing_outlives_its_process(tmp_path: Path) -> None:
    ask(pool(tmp_path))  # writes the worker
    program = (
        "import sys, threading, time\n"
        "from pathlib import Path\n"
        "from pyinfer.text.sandbox.pool import Limits, SandboxPool\n"
        f"sandbox = SandboxPool(Path({str(tmp_path / 'worker.py')!r}), (), "
        "Limits(1, 1 << 26, 3600.0), 2, 2)\n"
        'sandbox.run(b\'{"do": ""}\', 1 << 16)\n'
        "print(sandbox._server._process.pid, flush=True)\n"
        'sandbox.run(b\'{"do": "sleep"}\', 1 << 16)\n'
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    server = int(process.stdout.readline())
    wait_for(lambda: jobs_of(server))
    (job,) = jobs_of(server)
    process.kill()
    process.wait()
    process.stdout.close()
    wait_for(lambda: not (lives(server) or lives(job)))


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_forked_process_gets_a_sandbox_of_its_own(sandbox: SandboxPool) -> None:
    ask(sandbox)
    ours = server_pid(sandbox)
    pid = os.fork()
    if pid == 0:
        well = ask(sandbox)["seen"] == ["load", ""] and server_pid(sandbox) != ours
        sandbox._server = None  # ends it
        os._exit(0 if well else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    ask(sandbox)
    assert server_pid(sandbox) == ours


def test_programs_that_cannot_be_started(
    sandbox: SandboxPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(EngineError, match="cannot start"):
        ask(sandbox)
    monkeypatch.undo()
    assert ask(sandbox)
