"""Connections: deadlines, limits, refusals, one request after the other."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")

import uvicorn

from pyinfer.server.http import protocol as http_protocol
from pyinfer.server.http.protocol import StrictProtocol

GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


class Application:
    """Answers with the length of the body; ``/wait`` waits for the client to leave."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.left = threading.Event()
        self.waiting = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(scope["path"])
        if scope["path"] == "/early":
            await answer(send, b"no", 413)
            return
        if scope["path"] == "/flood":
            await self.flood(receive, send)
            return
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            size += len(message["body"])
            if not message.get("more_body"):
                break
        if scope["path"] == "/wait":
            self.waiting.set()
            assert (await receive())["type"] == "http.disconnect"
            self.left.set()
            return
        await answer(send, str(size).encode())

    async def flood(self, receive: Any, send: Any) -> None:
        async def leaving() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        gone = asyncio.create_task(leaving())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)
        self.left.set()


async def answer(send: Any, body: bytes, status: int = 200) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@contextlib.contextmanager
def serving(app: Application) -> Iterator[int]:
    """A server in a thread; gives its port."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http=StrictProtocol, ws="none", lifespan="off",
        log_config=None, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()


@pytest.fixture
def app() -> Application:
    return Application()


@pytest.fixture
def port(app: Application) -> Iterator[int]:
    with serving(app) as port:
        yield port


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 60)


def exchange(port: int, data: bytes) -> bytes:
    """Send and read until the server closes."""
    with connect(port) as connection:
        connection.sendall(data)
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_requests_on_one_connection_are_answered_in_order(port: int, app: Application) -> None:
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % b"c"
    data = GET % b"a" + POST % (b"b", 3) + b"abc" + last
    answered = exchange(port, data)
    assert app.seen == ["/a", "/b", "/c"]
    assert [part[-1:] for part in answered.split(b"HTTP/1.1 ")[1:]] == [b"0", b"3", b"0"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\nHost: a\n\n", b"400"),
        (POST[:-2] % (b"a", 3) + b"Transfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"431"),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", b"505"),
        (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    ],
)  # fmt: skip
def test_malformed_requests_get_an_answer_and_an_end(
    port: int, app: Application, data: bytes, status: bytes
) -> None:
    answered = exchange(port, data + GET % b"smuggled")
    assert answered.startswith(b"HTTP/1.1 " + status)
    assert b"connection: close" in answered.lower()
    assert answered.lower().count(b"connection: close") == 1
    assert app.seen == []


def test_the_dialect_of_a_refusal_is_that_of_its_path(port: int) -> None:
    body = b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n"
    answered = exchange(port, b"POST /api/chat HTTP/1.1\r\nHost: a\r\n" + body)
    assert b'{"error": "Content-Length' in answered
    answered = exchange(port, b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n" + body)
    assert b'"type": "invalid_request_error"' in answered


def test_a_silent_connection_is_closed(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS", 0.05)
    assert exchange(port, b"") == b""
    assert exchange(port, b"GET / HTTP/1.1\r\nHost").startswith(b"HTTP/1.1 408")


def test_dripping_headers_are_late_too(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS", 0.3)
    with connect(port) as connection, contextlib.suppress(OSError):
        for _ in range(10_000):
            connection.sendall(b"G")
            connection.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                assert connection.recv(12) == b"HTTP/1.1 408"
                return
    raise AssertionError("never refused")


def test_a_second_request_has_the_same_deadline(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS", 0.3)
    answered = exchange(port, GET % b"a" + b"GET /b HTT")
    assert answered.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" in answered


def test_a_slow_body_is_refused(
    port: int, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "RATE_SECONDS", 0.1)
    assert exchange(port, POST % (b"a", 1000) + b"abc").startswith(b"HTTP/1.1 408")
    assert app.left.wait(60)  # the application was told


def test_a_steady_body_has_a_limit_unless_it_is_an_upload(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "RATE_SECONDS", 0.25)
    monkeypatch.setattr(http_protocol, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(http_protocol, "BODY_BYTES_PER_SECOND", 1)

    def steadily(path: bytes) -> bytes:
        with connect(port) as connection, contextlib.suppress(OSError):
            connection.sendall(POST % (path, 5000))
            for _ in range(5000):
                connection.sendall(b"a")
                connection.settimeout(0.0005)
                with contextlib.suppress(TimeoutError):
                    return connection.recv(12)
            connection.settimeout(60)
            return connection.recv(12)
        return b"reset"

    assert steadily(b"v1/x") == b"HTTP/1.1 408"
    assert steadily(b"api/blobs/sha256:0") == b"HTTP/1.1 200"


def test_an_early_answer_reaches_a_client_that_still_sends(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(POST % (b"early", 10**9))
        sent = 0
        with contextlib.suppress(OSError):
            connection.settimeout(1)
            while sent < 4 * 2**20:
                sent += connection.send(b"x" * 65536)
        connection.settimeout(60)
        answered = read_all(connection)
    assert answered.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answered.lower()


def test_a_client_that_leaves_is_noticed_even_with_a_request_behind(
    port: int, app: Application
) -> None:
    with connect(port) as connection:
        connection.sendall(GET % b"wait" + GET % b"next")
        assert app.waiting.wait(60)
    assert app.left.wait(60)
    assert app.seen == ["/wait"]


def test_too_much_behind_a_request_is_dropped(port: int, app: Application) -> None:
    with connect(port) as connection:
        connection.sendall(GET % b"wait")
        assert app.waiting.wait(60)
        connection.sendall(b"GET / HTTP/1.1\r\n" * 10_000)
    assert app.left.wait(60)
    assert app.seen == ["/wait"]


def test_a_reader_that_does_not_read_is_cut_off(
    port: int, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "STALL_SECONDS", 0.2)
    with connect(port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(GET % b"flood")
        assert app.left.wait(60)


def test_connections_are_limited(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol.StrictProtocol, "max_connections", 3)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            connection = stack.enter_context(connect(port))
            connection.sendall(GET % b"a")
            assert connection.recv(12) == b"HTTP/1.1 200"
        answered = exchange(port, b"")
        assert answered.startswith(b"HTTP/1.1 503")
        assert b"retry-after" in answered.lower()


def test_continue_is_sent_when_the_body_is_wanted(port: int) -> None:
    with connect(port) as connection:
        head = POST % (b"a", 3)
        connection.sendall(head[:-2] + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert connection.recv(12) == b"HTTP/1.1 200"
