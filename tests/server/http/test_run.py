"""The server as a process: refusals at the start, signals, draining."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pyinfer

from ..running import RunningServer, running_server

httpx2 = pytest.importorskip("httpx2")
pytest.importorskip("fastapi")

LONG = {"prompt": "a", "ignore_eos": True, "n_predict": 1500, "stream": True, "temperature": 1}


def refused(*arguments: str, command: str = "serve") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pyinfer", command, *arguments],
        capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"PYINFER_HOST": ""},
    )  # fmt: skip
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_starts_that_are_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, text = refused("--port", str(taken.getsockname()[1]))
    assert (status, "cannot listen" in text) == (2, True)
    status, text = refused("--host", "0.0.0.0", "--port", "0")
    assert (status, "--api-key" in text) == (2, True)
    status, text = refused("--port", "0", "--preload", "nobody")
    assert (status, "nobody" in text) == (5, True)
    assert len([line for line in text.splitlines() if "error" in line]) == 1


def test_options_of_llama_server() -> None:
    status, text = refused("--no-such-option", command="llama-server")
    assert (status, "--no-such-option" in text) == (2, True)
    status, text = refused("--lora", "a.gguf", command="llama-server")
    assert (status, "adapters are not supported" in text) == (2, True)
    status, text = refused("-ngl", "99", "--mlock", "-m", "/none.gguf", command="llama-server")
    assert status == 5
    assert "warning: -ngl has no effect" in text
    assert "warning: --mlock has no effect" in text


class Stream(threading.Thread):
    """Reads a long stream; knows when it has begun and how it ended."""

    def __init__(self, server: RunningServer) -> None:
        super().__init__(daemon=True)
        self.url = server.url
        self.begun = threading.Event()
        self.parts: list[Any] = []
        self.start()

    def run(self) -> None:
        client = httpx2.Client(timeout=300)
        with client, client.stream("POST", f"{self.url}/completion", json=LONG) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    self.parts.append(json.loads(line.removeprefix("data: ")))
                    self.begun.set()


def test_sigterm_lets_running_requests_finish() -> None:
    with running_server("--grace", "120s") as server:
        stream = Stream(server)
        assert stream.begun.wait(300)
        with httpx2.Client(base_url=server.url, timeout=300) as client:
            assert client.get("/health").status_code == 200
            server.process.send_signal(signal.SIGTERM)
            stream.join(300)
        assert stream.parts[-1].get("stop") is True
        assert server.process.wait(60) == 0


def test_a_second_signal_ends_at_once() -> None:
    with running_server("--grace", "600s", "--ctx-size", "2048") as server:
        streams = [Stream(server) for _ in range(8)]
        assert all(stream.begun.wait(300) for stream in streams)
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
        for stream in streams:
            stream.join(60)
            assert stream.parts[-1].get("stop") or "error" in stream.parts[-1]


def test_an_interrupt_ends_with_its_status() -> None:
    with running_server() as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 130
        assert not [line for line in server.lines() if "Traceback" in line]


def test_sigterm_when_idle_is_a_clean_end() -> None:
    with running_server("--api-key", "k", "--host", "127.0.0.1", "--preload", "demo") as server:
        with httpx2.Client(base_url=server.url, timeout=300) as client:
            assert client.get("/v1/models").status_code == 200
            assert client.get("/api/tags").status_code == 401
            allowed = client.get("/api/tags", headers={"Authorization": "Bearer k"})
            assert allowed.status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0


def test_sigterm_ends_the_server_while_a_grammar_hangs(tmp_path: Path) -> None:
    """With a compiler that never ends, in the process that really serves."""
    worker = tmp_path / "worker.py"
    worker.write_text("import time\ndef load(): pass\ndef answer(request): time.sleep(3600)\n")
    (tmp_path / "sitecustomize.py").write_text(
        "from pathlib import Path\n"
        "from pyinfer.text.grammar_check import CHECKER\n"
        "from pyinfer.text.sandbox.pool import Limits, SandboxPool\n"
        f"CHECKER.pool = SandboxPool(Path({str(worker)!r}), (), Limits(2, 1 << 27, 3600.0), 2, 4)\n"
    )
    root = Path(pyinfer.__file__).parent.parent
    environment = {"PYTHONPATH": f"{tmp_path}:{root}"}
    body = {"model": "demo", "prompt": "a", "structured_outputs": {"regex": "a"}}
    with running_server("--grace", "3600s", environment=environment) as server:
        with httpx2.Client(base_url=server.url, timeout=300) as client:
            hanging = threading.Thread(
                target=lambda: client.post("/v1/completions", json=body), daemon=True
            )
            hanging.start()
            sandboxes = wait_for_children(server.process.pid, worker)
            assert client.get("/health").status_code == 200
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(300) == 0
            hanging.join(300)
        assert not hanging.is_alive()
    wait_until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in sandboxes))


def wait_for_children(pid: int, worker: Path) -> list[int]:
    """The fork server with ``worker`` and the job that it has forked."""
    found: list[int] = []

    def look() -> bool:
        servers = [child for child in children(pid) if str(worker) in command_of(child)]
        found[:] = [*servers, *(job for child in servers for job in children(child))]
        return len(found) >= 2

    wait_until(look)
    return found


def children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(n) for task in tasks for n in (task / "children").read_text().split()]
    except OSError:
        return []


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
