"""Accepting connections when descriptors are scarce."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from pyinfer.server.http import accept
from pyinfer.server.http.accept import Acceptor, connections_for
from pyinfer.server.http.run import listen

from ..running import _url, stop


class Greeting(asyncio.Protocol):
    """Says one word and closes."""

    def connection_made(self, transport: Any) -> None:
        transport.write(b"hello")
        transport.close()


async def greeting(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await reader.read()
    finally:
        writer.close()


class Broken:
    """A listener that fails so many times."""

    def __init__(self, listener: socket.socket, failures: int) -> None:
        self._listener, self.failures = listener, failures
        self.calls = 0

    def fileno(self) -> int:
        return self._listener.fileno()

    def accept(self) -> Any:
        self.calls += 1
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return self._listener.accept()


def test_a_failure_is_one_line_and_a_pause(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accept, "PAUSE_SECONDS", 0.001)

    async def work() -> None:
        with contextlib.closing(listen("127.0.0.1", 0)) as listener:
            broken = Broken(listener, 20)
            acceptor = Acceptor(broken, Greeting, lambda coming: True)  # type: ignore[arg-type]
            port = listener.getsockname()[1]
            answers = await asyncio.gather(*(greeting(port) for _ in range(5)))
            assert answers == [b"hello"] * 5
            assert broken.failures == 0
            # Each failure ended its turn.
            assert broken.calls <= 20 + 5 + 5
            acceptor.close()
            await acceptor.wait_closed()

    with caplog.at_level(logging.WARNING, "pyinfer.server"):
        asyncio.run(asyncio.wait_for(work(), 300))
    lines = [record for record in caplog.records if "accept" in record.getMessage()]
    assert len(lines) == 1
    assert lines[0].facts["reason"] == os.strerror(errno.EMFILE)  # type: ignore[attr-defined]


def test_without_room_connections_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accept, "PAUSE_SECONDS", 0.001)
    room = asyncio.Event()

    async def work() -> None:
        with contextlib.closing(listen("127.0.0.1", 0)) as listener:
            broken = Broken(listener, 0)
            acceptor = Acceptor(  # type: ignore[arg-type]
                broken, Greeting, lambda coming: room.is_set()
            )
            waiting = asyncio.create_task(greeting(listener.getsockname()[1]))
            await asyncio.sleep(0.02)
            assert not broken.calls
            room.set()
            assert await waiting == b"hello"
            acceptor.close()

    asyncio.run(asyncio.wait_for(work(), 300))


def test_there_is_always_some_connection() -> None:
    assert connections_for(4) == 1
    for descriptors in range(96, 3000):
        most = connections_for(descriptors)
        assert 1 <= most <= 1024
        assert most + accept.REFUSED_AT_ONCE + descriptors // 6 <= descriptors


def test_a_server_with_few_descriptors_stays_quiet_and_serves(tmp_path: Path) -> None:
    """Three times as many clients as it can hold; it logs little and goes on when they leave."""
    limit = 160

    def scarce() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit // 2, limit))

    log = tmp_path / "stderr"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "pyinfer", "serve", "--port", "0"],
            stdin=subprocess.DEVNULL,
            stderr=stream,
            preexec_fn=scarce,
        )
    try:
        port = int(_url(process, log).rsplit(":", 1)[1])
        assert "the limit of open files bounds the connections" in log.read_text()
        clients = [socket.create_connection(("127.0.0.1", port), 300) for _ in range(3 * limit)]
        for client in clients:
            client.close()
        with socket.create_connection(("127.0.0.1", port), 300) as client:
            client.settimeout(300)
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(64).startswith(b"HTTP/1.1 200")
        lines = log.read_text().splitlines()
        assert not any("Traceback" in line or "exception" in line for line in lines)
        assert len(lines) < 20
        assert process.poll() is None
    finally:
        stop(process)
