"""A small HTTP client: sees when each piece of a stream arrives, may leave in the middle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


class RefusedError(Exception):
    """The server answered with an error status.

    Attributes
    ----------
    status : int
    body : bytes
    """

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body[:200].decode(errors='replace')}")
        self.status = status
        self.body = body


@dataclass(slots=True)
class Server:
    """Address of a server, like ``http://127.0.0.1:11434``."""

    url: str

    async def lines(self, path: str, body: Any = None) -> AsyncIterator[bytes]:
        """Lines of an answer as they arrive; closing the iterator closes the connection.

        Raises
        ------
        RefusedError
            The status is not 200.
        OSError, asyncio.IncompleteReadError
            The connection failed.
        """
        target = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(target.hostname, target.port, limit=2**24)
        try:
            data = b"" if body is None else json.dumps(body).encode()
            method = "GET" if body is None else "POST"
            head = f"{method} {path} HTTP/1.1\r\nHost: {target.netloc}\r\nConnection: close\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
            writer.write(head.encode() + data)
            await writer.drain()
            status, chunked = await _read_head(reader)
            if status != 200:
                raise RefusedError(status, await reader.read())
            rest = b""
            async for piece in _chunks(reader) if chunked else _plain(reader):
                rest += piece
                *whole, rest = rest.split(b"\n")
                for line in whole:
                    yield line
            if rest:
                yield rest
        finally:
            writer.close()

    async def json(self, path: str, body: Any = None) -> Any:
        """A whole answer as JSON."""
        return json.loads(b"\n".join([line async for line in self.lines(path, body)]))

    async def text(self, path: str) -> str:
        """A whole answer as text."""
        return b"\n".join([line async for line in self.lines(path)]).decode()

    async def events(self, path: str, body: Any) -> AsyncIterator[Any]:
        """Objects of an event stream until ``[DONE]``."""
        stream = self.lines(path, body)
        try:
            async for line in stream:
                data = line.strip().removeprefix(b"data:").strip()
                if line.startswith(b"data:") and data != b"[DONE]":
                    yield json.loads(data)
        finally:
            await stream.aclose()  # type: ignore[attr-defined]


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, bool]:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    return status, b"transfer-encoding: chunked" in head.lower()


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(size + 2))[:-2]


async def _plain(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await reader.read(65536):
        yield piece
