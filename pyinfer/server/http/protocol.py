"""One connection: uvicorn's protocol behind strict framing, with deadlines and limits.

What uvicorn lacks and this adds: time limits for headers, bodies and readers that do not read; a
limit on connections; requests only by the rules of ``http_framing.py``; no second request before
the first is answered (so that a client that leaves is always noticed); errors in the dialect.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from asyncio.events import TimerHandle
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from pyinfer.errors import PyinferError, RequestError, RequestTimeout, UnavailableError
from pyinfer.server.http.accept import MAX_CONNECTIONS, Occasional
from pyinfer.server.http.errors import dialect_of, error_body, error_headers, status_of
from pyinfer.server.http.framing import RequestFramer
from pyinfer.server.http.request_log import log_refusal

HEADER_SECONDS = 10.0
BODY_SECONDS = 60.0
BODY_BYTES_PER_SECOND = 1024
#: The rate of a body is looked at this often.
RATE_SECONDS = 10.0
#: Of one connection, in this process and in the system's socket.
WRITE_BUFFER_BYTES = 64 * 2**10
SEND_BUFFER_BYTES = 256 * 2**10
STALL_SECONDS = 30.0
#: How long what a refused client still sends is read and dropped, so that it sees the answer.
LINGER_SECONDS = 2.0
#: Bytes of following requests that are kept while one is being answered.
MAX_HELD_BYTES = 64 * 2**10

#: Uploads of model files may take as long as they keep the rate.
UPLOADS = "/api/blobs/"

_TOO_MANY = Occasional("connections refused")


class StrictProtocol(HttpToolsProtocol):
    """A connection with limits.

    Attributes
    ----------
    max_connections : int
        Of the server; those beyond are refused.
    """

    max_connections = MAX_CONNECTIONS

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._framer = RequestFramer()
        self._deaf = False
        self._timers: dict[str, TimerHandle] = {}
        self._body_started = 0.0
        self._window_bytes = 0
        self._was_paused = False

    # ---- the connection ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock, or refuse a connection too many."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(WRITE_BUFFER_BYTES)
        connection = transport.get_extra_info("socket")
        if connection is not None:
            with contextlib.suppress(OSError):  # it may be gone already
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if len(self.connections) > self.max_connections:
            error = UnavailableError("too many connections")
            _TOO_MANY.log(error)
            self._refuse(error, log=False)
        else:
            self._start("head", HEADER_SECONDS, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._deaf = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client."""
        if self._deaf:
            return
        self._framer.push(data)
        if self._busy() and self._framer.held > MAX_HELD_BYTES:
            self._deaf = True  # it is answered what it asked first, and no more
            self.cycle.keep_alive = False
            return
        self._advance()

    def _busy(self) -> bool:
        """A request was read to its end and is being answered."""
        return self._framer.at_head and self.cycle is not None and not self.cycle.response_complete

    def _advance(self) -> None:
        """Hand on what is complete."""
        while not self._deaf and not self._busy() and not self.transport.is_closing():
            try:
                part = self._framer.next()
            except PyinferError as error:
                self._refuse(error)
                return
            if part is None:
                break
            if part.kind == "head":
                self._cancel("head")
                self._body_started, self._window_bytes = self.loop.time(), 0
                self._start("body", RATE_SECONDS, self._body_is_late)
            elif part.kind == "body":
                self._window_bytes += len(part.data)
            else:
                self._cancel("body")
            if part.data:
                super().data_received(part.data)
                self._was_paused |= self.flow.read_paused
        if self._framer.at_head and self._framer.held and not self._busy():
            self._unset_keepalive_if_required()
            if "head" not in self._timers:
                self._start("head", HEADER_SECONDS, self._head_is_late)

    # ---- requests ------------------------------------------------------------------------------

    def on_headers_complete(self) -> None:
        """Start the application on a request."""
        url = httptools.parse_url(self.url)
        raw_path = url.path or b"/"
        self.scope["method"] = self.parser.get_method().decode("ascii")
        version = self.parser.get_http_version()
        self.scope["http_version"] = version
        # Bytes that are not UTF-8 cannot name anything here.
        self.scope["path"] = unquote_to_bytes(raw_path).decode("utf-8", "replace")
        self.scope["raw_path"] = raw_path
        self.scope["query_string"] = url.query or b""
        self.cycle = _Cycle(
            scope=self.scope,
            transport=_Gentle(self.transport, self._finish),  # type: ignore[arg-type]
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        self._start_asgi_task(self.cycle, self.app)

    def on_response_complete(self) -> None:
        """Go on with what came meanwhile."""
        super().on_response_complete()
        self._cancel("body")
        if not self._deaf and not self.transport.is_closing():
            self.loop.call_soon(self._advance)

    def send_400_response(self, msg: str) -> None:
        """Uvicorn's parser did not like what the framing accepted."""
        self._refuse(RequestError("the request is malformed"))

    # ---- ends ----------------------------------------------------------------------------------

    def _refuse(self, error: PyinferError, log: bool = True) -> None:
        """Answer for the application unless it has begun to, and close."""
        self._deaf = True
        if self.transport.is_closing():
            return
        cycle = self.cycle
        begun = cycle is not None and not cycle.response_complete and cycle.response_started
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if begun:
            self.transport.abort()
            return
        path = self._framer.path
        status = status_of(error, dialect_of(path))
        body = json.dumps(error_body(error, dialect_of(path))).encode()
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **error_headers(error),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(STATUS_LINE[status] + lines.encode() + b"\r\n" + body)
        if log:
            log_refusal(self.client, path, status, error)
        self._finish()

    def _finish(self) -> None:
        """Close; first drop what the client still sends, or it would not see the answer."""
        self._deaf = True
        self._cancel("body")
        self._cancel("head")
        self._start("close", STALL_SECONDS, self.transport.abort)
        if self.cycle is not None and not self.cycle.more_body and not self._framer.held:
            self.transport.close()
            return
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            with contextlib.suppress(OSError):
                self.transport.write_eof()
        self._start("linger", LINGER_SECONDS, self.transport.close)

    def _head_is_late(self) -> None:
        if self._framer.held:
            self._refuse(RequestTimeout("the headers did not come in time"))
        else:
            self.transport.close()  # it never asked for anything

    def _body_is_late(self) -> None:
        """Look at what came since the last time."""
        # While the application does not take what came, the client is not the slow one.
        slow = self._window_bytes < BODY_BYTES_PER_SECOND * RATE_SECONDS and not self._was_paused
        late = self.loop.time() - self._body_started >= BODY_SECONDS
        if slow or (late and not self._framer.path.startswith(UPLOADS)):
            self._refuse(RequestTimeout("the body did not come in time"))
            return
        self._window_bytes, self._was_paused = 0, self.flow.read_paused
        self._start("body", RATE_SECONDS, self._body_is_late)

    def pause_writing(self) -> None:
        """The client does not take what is sent."""
        super().pause_writing()
        self._start("stall", STALL_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self._cancel("stall")

    # ---- timers --------------------------------------------------------------------------------

    def _start(self, name: str, seconds: float, then: Callable[[], object]) -> None:
        self._cancel(name)

        def fire() -> None:
            self._timers.pop(name, None)
            then()

        self._timers[name] = self.loop.call_later(seconds, fire)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()


class _Cycle(RequestResponseCycle):
    """An answer that ends the connection if the request was not read to its end."""

    async def send(self, message: Any) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start" and self.more_body:
            self.keep_alive = False
        await super().send(message)


class _Gentle:
    """The transport as the cycle sees it: ``close`` lets the client read the answer first."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close
