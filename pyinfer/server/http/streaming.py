"""Answers that are sent piece by piece, and the watch for clients that leave.

Both responses send their headers at once, a ping after ten seconds of silence, and close the
iterator (with everything it holds, so let it hold the answer: ``async with answer:``) as soon as
the client is gone. A failure in the middle becomes a last piece in the dialect of the route.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pyinfer.errors import CancelledError, PyinferError, internal_error
from pyinfer.server.http.errors import dialect_of, error_body

#: Longest silence of a stream.
PING_SECONDS = 10.0

_LOG = logging.getLogger("pyinfer.server")
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

# Kept: ``json.dumps`` makes an encoder for each call that does not take its defaults.
_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Result = TypeVar("Result")


class ClientGoneError(CancelledError):
    """The client closed the connection before it was answered."""


def ndjson(
    lines: AsyncIterator[dict[str, Any]],
    ping: Callable[[], dict[str, Any]],
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One JSON object per line.

    Parameters
    ----------
    lines : async iterator of dict
        Closed when the client leaves.
    ping : callable
        Makes the line that is sent after a silence.
    headers : mapping, optional
        Added to the usual ones.
    """
    return _Stream(
        lines,
        _line,
        ping=lambda: _line(ping()),
        fail=_line,
        last=b"",
        media_type="application/x-ndjson",
        headers=headers,
    )


def sse(
    chunks: AsyncIterator[str | dict[str, Any]],
    done: bool = True,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Server-sent events, one ``data:`` line each.

    Parameters
    ----------
    chunks : async iterator of dict or str
        Objects, or texts that are JSON already. Closed when the client leaves.
    done : bool
        End with ``data: [DONE]``, also after an error.
    headers : mapping, optional
        Added to the usual ones.
    """
    return _Stream(
        chunks,
        _event,
        ping=lambda: b": ping\n\n",
        fail=_event,
        last=b"data: [DONE]\n\n" if done else b"",
        media_type="text/event-stream",
        headers=headers,
    )


async def unless_disconnected(request: Request, work: Awaitable[Result]) -> Result:
    """Await ``work``, or cancel it when the client leaves first.

    The body of the request must have been read. Use it for everything that takes long before the
    first byte: queueing and loading (``service.generate``) and answers that are not streamed.

    Raises
    ------
    ClientGoneError
        The client is gone; ``work`` was cancelled and has ended.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.create_task(_disconnect(request.receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGoneError("the client closed the connection")
    finally:
        await _end(gone)
        await _end(task)


class _Stream(Response):
    """A response whose body is made of pieces."""

    def __init__(
        self,
        pieces: AsyncIterator[Any],
        encode: Callable[[Any], bytes],
        *,
        ping: Callable[[], bytes],
        fail: Callable[[dict[str, Any]], bytes],
        last: bytes,
        media_type: str,
        headers: Mapping[str, str] | None,
    ) -> None:
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers({**_HEADERS, **(headers or {})})
        self._pieces, self._encode, self._ping = pieces, encode, ping
        self._fail, self._last = fail, last
        self._written = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or stop when the client leaves."""
        loop = asyncio.get_running_loop()

        async def write(data: bytes, more: bool = True) -> None:
            self._written = loop.time()
            await send({"type": "http.response.body", "body": data, "more_body": more})

        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        pump = asyncio.create_task(self._pump(write, scope["path"]))
        gone = asyncio.create_task(_disconnect(receive))
        pings = asyncio.create_task(self._keep_alive(write))
        try:
            await asyncio.wait({pump, gone}, return_when=asyncio.FIRST_COMPLETED)
            if pump.done():
                pump.result()
        finally:
            for task in (gone, pings, pump):
                await _end(task)

    async def _pump(self, write: Callable[..., Coroutine[Any, Any, None]], path: str) -> None:
        try:
            async for piece in self._pieces:
                await write(self._encode(piece))
        except PyinferError as error:
            await write(self._fail(error_body(error, dialect_of(path))))
        except Exception:
            _LOG.exception("a stream failed")
            await write(self._fail(error_body(internal_error(), dialect_of(path))))
        finally:
            close = getattr(self._pieces, "aclose", None)
            if close is not None:
                await close()
        await write(self._last, more=False)

    async def _keep_alive(self, write: Callable[..., Coroutine[Any, Any, None]]) -> None:
        loop = asyncio.get_running_loop()
        self._written = loop.time()
        while True:
            rest = self._written + PING_SECONDS - loop.time()
            if rest > 0:
                await asyncio.sleep(rest)
            else:
                await write(self._ping())


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(task: asyncio.Future[Any]) -> None:
    """Cancel a task unless it is done, and wait for it."""
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


def _line(value: dict[str, Any]) -> bytes:
    return _encode_json(value).encode() + b"\n"


def _event(value: str | dict[str, Any]) -> bytes:
    if not isinstance(value, str):
        value = _encode_json(value)
    return b"data: " + value.encode() + b"\n\n"
