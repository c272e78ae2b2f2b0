"""Calls ASGI applications without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]
App = Callable[[Message, Any, Any], Awaitable[None]]


@dataclass(slots=True)
class Exchange:
    """One request and what was answered to it so far."""

    parts: list[bytes] = field(default_factory=lambda: [b""])
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    complete: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def body(self) -> bytes:
        """Everything that was sent."""
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    async def receive(self) -> Message:
        """The next part of the body, then the end of the connection when it comes."""
        if self.parts:
            body = self.parts.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(self.parts)}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Keep what the application answers."""
        assert not self.complete
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            self.pieces.append(message["body"])
            self.complete = not message.get("more_body")


def scope(method: str = "GET", path: str = "/", headers: Iterable[tuple[str, str]] = ()) -> Message:
    """The scope of a request; it says Host: 127.0.0.1 unless ``headers`` do."""
    given = [(name.lower().encode(), value.encode()) for name, value in headers]
    if not any(name == b"host" for name, _ in given):
        given.append((b"host", b"127.0.0.1:11434"))
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": given,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 11434),
        "state": {},
    }


async def call(
    app: App,
    method: str = "GET",
    path: str = "/",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | list[bytes] = b"",
) -> Exchange:
    """Send one request and wait for the end of its answer."""
    exchange = Exchange([body] if isinstance(body, bytes) else list(body))
    await app(scope(method, path, headers), exchange.receive, exchange.send)
    return exchange
