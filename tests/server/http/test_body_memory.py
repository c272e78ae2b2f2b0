"""Bodies in memory: a limit over all, a limit per client, nothing held afterwards."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fastapi import Request
from fastapi.responses import JSONResponse

from pyinfer.errors import QueueFullError
from pyinfer.server.http.body import read_bytes
from pyinfer.server.http.body_memory import FREE_BYTES, BodyAccounts, BodyMemory
from pyinfer.server.http.errors import error_response

from ..asgi import Exchange, scope

MIB = 2**20


def test_the_limits_are_exact() -> None:
    memory = BodyMemory(10, 6)
    first, second, third = memory.hold("a"), memory.hold("a"), memory.hold("b")
    first.expect(FREE_BYTES + 6)
    with pytest.raises(QueueFullError, match="of this client"):
        first.expect(FREE_BYTES + 7)
    first.take(FREE_BYTES)
    assert memory.used == 0
    first.take(6)
    second.take(FREE_BYTES)
    with pytest.raises(QueueFullError, match="of this client"):
        second.take(1)
    third.take(FREE_BYTES + 4)
    assert memory.used == 10
    with pytest.raises(QueueFullError, match="MiB of large requests are"):
        third.take(1)
    memory.hold("c").expect(FREE_BYTES)
    for hold in (first, first, second, third):
        hold.release()
    assert memory.used == 0
    assert not memory._clients


class Slow(Exchange):
    """A client that sends a part of its body and then no more."""

    def __init__(self, part: bytes) -> None:
        super().__init__([part])
        self.read = 0

    async def receive(self) -> Any:
        if self.parts:
            self.read += 1
            return {"type": "http.request", "body": self.parts.pop(0), "more_body": True}
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads a body as every route does."""
    request = Request(scope, receive)
    try:
        response: Any = JSONResponse({"size": len(await read_bytes(request))})
    except QueueFullError as error:
        response = error_response(error, scope["path"])
    except Exception:
        return  # the client went
    await response(scope, receive, send)


def call(client: str, path: str, length: int | None = None) -> dict[str, Any]:
    headers = [] if length is None else [("content-length", str(length))]
    return scope("POST", path, headers) | {"client": (client, 1)}


@pytest.mark.parametrize("announced", [None, 16 * MIB])
def test_unfinished_bodies_have_a_total(announced: int | None) -> None:
    """120 clients with 16 MiB each, none of which sends its last byte."""

    async def work() -> None:
        memory = BodyMemory(64 * MIB, 32 * MIB)
        guarded = BodyAccounts(app, memory)
        slow = [Slow(b"x" * (16 * MIB - 1)) for _ in range(120)]
        tasks = [
            asyncio.create_task(
                guarded(call(f"10.0.0.{n % 40}", "/v1/x", announced), one.receive, one.send)
            )
            for n, one in enumerate(slow)
        ]
        while sum(one.complete for one in slow) < 116:
            await asyncio.sleep(0)
        assert memory.used <= 64 * MIB
        refused = [one for one in slow if one.complete]
        assert {one.status for one in refused} == {429}
        assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
        if announced:  # before reading
            assert not any(one.read for one in refused)
        small = Exchange([b"y" * FREE_BYTES])
        await guarded(call("10.0.0.1", "/api/x"), small.receive, small.send)
        assert small.json == {"size": FREE_BYTES}
        large = Exchange([b"y" * (2 * MIB)])
        await guarded(call("10.1.0.1", "/api/x"), large.receive, large.send)
        assert large.status == 503
        for one in slow:
            one.gone.set()
        await asyncio.gather(*tasks)
        assert memory.used == 0
        await guarded(call("10.1.0.1", "/api/x"), (again := Exchange([b"y" * (2 * MIB)])).receive,
                      again.send)  # fmt: skip
        assert json.loads(again.body) == {"size": 2 * MIB}

    asyncio.run(work())
