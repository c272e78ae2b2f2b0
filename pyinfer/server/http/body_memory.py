"""How much of request bodies is in memory at once, over all clients and per client.

A body counts from its first byte until its request is answered, since what was made of it lives as
long. The first bytes of each are free: the number of connections bounds those, and no large
body keeps a small request out.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from pyinfer.errors import QueueFullError

FREE_BYTES = 64 * 2**10


class BodyMemory:
    """Counts bytes of bodies.

    Parameters
    ----------
    total, per_client : int
        Most bytes at once of all clients and of one address, without the free ones.
    """

    def __init__(self, total: int, per_client: int) -> None:
        self._total = total
        self._per_client = per_client
        self._clients: Counter[str] = Counter()
        self.used = 0
        self.turn = asyncio.Lock()

    def hold(self, client: str) -> Hold:
        """An account for one body; to be released."""
        return Hold(self, client)

    def check(self, client: str, more: int) -> None:
        """Refuse ``more`` bytes if there is no room.

        Raises
        ------
        QueueFullError
            Says whose share is used up.
        """
        if self.used + more > self._total:
            raise _full(f"{self.used >> 20} MiB of large requests are being answered")
        if self._clients[client] + more > self._per_client:
            used = self._clients[client] >> 20
            raise _full(f"{used} MiB of large requests of this client are being answered")

    def add(self, client: str, more: int) -> None:
        """Count bytes; a negative number gives back."""
        self.used += more
        self._clients[client] += more
        if not self._clients[client]:
            del self._clients[client]


class Hold:
    """What one body takes.

    Attributes
    ----------
    size : int
        Bytes that came, the free ones included.
    turn : asyncio.Lock
        Of those that are parsed one after the other.
    """

    def __init__(self, memory: BodyMemory, client: str) -> None:
        self._memory, self._client = memory, client
        self._held = 0
        self.size = 0
        self.turn = memory.turn

    def expect(self, size: int) -> None:
        """Refuse a body of an announced size before it is read; errors as :meth:`take`."""
        if size > FREE_BYTES:
            self._memory.check(self._client, size - FREE_BYTES)

    def take(self, more: int) -> None:
        """Count bytes that came.

        Raises
        ------
        QueueFullError
            There is no room for them.
        """
        self.size += more
        held = max(0, self.size - FREE_BYTES)
        if held > self._held:
            self._memory.check(self._client, held - self._held)
            self._memory.add(self._client, held - self._held)
            self._held = held

    def release(self) -> None:
        """Give everything back. May be repeated."""
        held, self._held = self._held, 0
        if held:
            self._memory.add(self._client, -held)


class BodyAccounts:
    """ASGI middleware that gives each request an account and settles it when it is answered."""

    def __init__(self, app: ASGIApp, memory: BodyMemory) -> None:
        self._app, self._memory = app, memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on; the account is ``request.state.body``."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        hold = self._memory.hold(client[0] if client else "")
        scope.setdefault("state", {})["body"] = hold
        try:
            await self._app(scope, receive, send)
        finally:
            hold.release()


def _full(what: str) -> QueueFullError:
    return QueueFullError(f"{what}, which is the limit", hint="try again later")
