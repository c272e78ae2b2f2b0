"""The log never stops the server: readers that do not read, streams that are closed."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")

from pyinfer.server.http.log_writer import LogWriter
from pyinfer.server.http.run import listen

from ..running import stop

httpx2 = pytest.importorskip("httpx2")


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("x", logging.INFO, "", 0, text, None, None)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


def read_all(fd: int) -> bytes:
    data = bytearray()
    while part := os.read(fd, 1 << 16):
        data += part
    return bytes(data)


def test_lines_come_in_order(pipe: tuple[int, int]) -> None:
    writer = LogWriter(pipe[1])
    for number in range(1000):
        writer.emit(record(f"line {number}"))
    writer.finish(60)
    os.close(pipe[1])
    assert read_all(pipe[0]).decode().splitlines() == [f"line {n}" for n in range(1000)]


@pytest.mark.parametrize("blocking", [True, False])
def test_what_nobody_reads_is_dropped_and_counted(pipe: tuple[int, int], blocking: bool) -> None:
    os.set_blocking(pipe[1], blocking)
    writer = LogWriter(pipe[1], capacity=50_000)
    for number in range(10_000):  # a megabyte: more than the pipe and the writer hold
        writer.emit(record(f"{number:05} " + "x" * 94))
    assert writer.dropped > 5_000
    writer.finish(0.01)
    assert writer._thread.is_alive()
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(read_all(pipe[0])))
    reader.start()
    writer.finish(60)
    assert not writer._thread.is_alive()
    os.close(pipe[1])
    reader.join(60)
    lines = found[0].decode().splitlines()
    reports = [json.loads(line) for line in lines if line.startswith("{")]
    numbers = [int(line[:5]) for line in lines if not line.startswith("{")]
    assert numbers == sorted(set(numbers))
    assert all(facts["event"].startswith("log lines were dropped") for facts in reports)
    assert len(numbers) + sum(facts["lines"] for facts in reports) == 10_000


def test_a_closed_pipe_and_a_bad_record_are_no_errors(pipe: tuple[int, int]) -> None:
    writer = LogWriter(pipe[1])
    writer.emit(logging.LogRecord("x", logging.INFO, "", 0, "%d", ("no number",), None))
    writer.finish(60)
    assert b"could not be formatted" in os.read(pipe[0], 4096)
    os.close(pipe[0])
    writer = LogWriter(pipe[1])
    for _ in range(100):
        writer.emit(record("nobody"))
    writer.finish(60)
    assert not writer._thread.is_alive()


def free_port() -> int:
    with contextlib.closing(listen("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def start(port: int, redirect: str, **streams: Any) -> subprocess.Popen[bytes]:
    """A server behind a shell that redirects its streams."""
    command = f'exec "$0" -m pyinfer serve --port {port} {redirect}'
    return subprocess.Popen(["/bin/sh", "-c", command, sys.executable], **streams)


def client_of(port: int, process: subprocess.Popen[bytes]) -> httpx2.Client:
    for _ in range(6000):
        assert process.poll() is None
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 300):
            return httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=300)
        threading.Event().wait(0.05)
    raise AssertionError("the server did not start")


ASK = {"model": "demo", "prompt": "a", "stream": False, "options": {"num_predict": 2}}


def test_a_log_that_nobody_reads_stops_neither_requests_nor_the_end(pipe: tuple[int, int]) -> None:
    port = free_port()
    process = start(port, "", stderr=pipe[1])
    try:
        with client_of(port, process) as client:
            assert client.post("/api/generate", json=ASK).status_code == 200
            for _ in range(600):  # each is a line of more than 200 bytes, the pipe holds 64 KiB
                assert client.get("/health/live").status_code == 200
            assert client.post("/api/generate", json=ASK).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 0
    finally:
        stop(process)


@pytest.mark.parametrize("redirect", ["2>&-", "<&- >&- 2>&-", "<&-", ">&-"])
def test_closed_streams_do_not_matter(redirect: str) -> None:
    port = free_port()
    process = start(port, redirect, stderr=subprocess.DEVNULL)
    try:
        with client_of(port, process) as client:
            assert client.post("/api/generate", json=ASK).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 0
    finally:
        stop(process)
