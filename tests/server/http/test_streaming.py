"""Streams: order, pings, failures in the middle, clients that leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fastapi import Request

from pyinfer.errors import EngineError
from pyinfer.server.http import streaming
from pyinfer.server.http.streaming import ClientGoneError, ndjson, sse, unless_disconnected

from ..asgi import Exchange, scope


class Source:
    """Yields what it is given and tells whether it was closed; waits for ever at None."""

    def __init__(self, *items: Any) -> None:
        self.items = items
        self.closed = False
        self.waiting = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            for item in self.items:
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    self.waiting.set()
                    await asyncio.Event().wait()
                elif isinstance(item, float):
                    await asyncio.sleep(item)
                else:
                    yield item
        finally:
            self.closed = True


def ping() -> dict[str, Any]:
    return {"ping": True}


def send(response: Any, path: str = "/api/chat") -> Exchange:
    exchange = Exchange()
    asyncio.run(response(scope("POST", path), exchange.receive, exchange.send))
    return exchange


def test_ndjson_is_one_object_per_line() -> None:
    source = Source({"a": 1}, {"b": "ü\n"})
    answer = send(ndjson(aiter(source), ping, {"X-More": "1"}))
    assert answer.body == '{"a":1}\n{"b":"ü\\n"}\n'.encode()
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-more"] == "1"
    assert answer.complete
    assert source.closed


def test_sse_ends_with_done() -> None:
    answer = send(sse(aiter(Source({"a": 1}, '{"b": 2}'))), "/v1/chat/completions")
    assert answer.body == b'data: {"a":1}\n\ndata: {"b": 2}\n\ndata: [DONE]\n\n'
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert send(sse(aiter(Source({})), done=False)).body == b"data: {}\n\n"


def test_a_failure_becomes_the_last_piece() -> None:
    answer = send(ndjson(aiter(Source({"a": 1}, EngineError("engine died"))), ping))
    assert answer.body == b'{"a":1}\n{"error":"engine died"}\n'
    answer = send(sse(aiter(Source(EngineError("engine died")))), "/v1/completions")
    first, last, rest = answer.body.split(b"\n\n")
    assert json.loads(first.removeprefix(b"data: "))["error"]["message"] == "engine died"
    assert (last, rest) == (b"data: [DONE]", b"")


def test_a_bug_does_not_tell_its_text(caplog: pytest.LogCaptureFixture) -> None:
    answer = send(ndjson(aiter(Source({}, ValueError("/secret/path"))), ping))
    assert b"secret" not in answer.body
    assert b"internal error" in answer.body
    assert "secret" in caplog.text


def test_silence_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PING_SECONDS", 0.02)
    lines = send(ndjson(aiter(Source({"a": 1}, 0.2, {"b": 2})), ping)).body.splitlines()
    assert lines[0] == b'{"a":1}'
    assert lines[-1] == b'{"b":2}'
    assert set(lines[1:-1]) == {b'{"ping":true}'}
    assert b": ping\n\n" in send(sse(aiter(Source(0.2, {"b": 2})))).body


def test_a_client_that_leaves_closes_the_source() -> None:
    async def run() -> tuple[Exchange, bool]:
        source, exchange = Source({"a": 1}, None), Exchange()
        task = asyncio.create_task(
            ndjson(aiter(source), ping)(scope("POST", "/api/chat"), exchange.receive, exchange.send)
        )
        await source.waiting.wait()
        assert not source.closed
        exchange.gone.set()
        await task
        return exchange, source.closed

    exchange, closed = asyncio.run(run())
    assert closed
    assert exchange.body == b'{"a":1}\n'
    assert not exchange.complete


def test_a_server_that_ends_closes_the_source() -> None:
    async def run() -> bool:
        source, exchange = Source({"a": 1}, None), Exchange()
        task = asyncio.create_task(
            sse(aiter(source))(scope("POST", "/v1/x"), exchange.receive, exchange.send)
        )
        await source.waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return source.closed

    assert asyncio.run(run())


def test_work_ends_with_its_client() -> None:
    async def run() -> None:
        exchange, ended = Exchange(), asyncio.Event()

        async def work() -> int:
            try:
                await asyncio.sleep(0.01)
                exchange.gone.set()
                await asyncio.Event().wait()
                return 1
            finally:
                ended.set()

        request = Request(scope("POST", "/api/chat"), exchange.receive)
        with pytest.raises(ClientGoneError):
            await unless_disconnected(request, work())
        assert ended.is_set()

    asyncio.run(run())


def test_work_gives_its_result_or_its_error() -> None:
    async def run() -> None:
        async def work(fail: bool) -> int:
            if fail:
                raise EngineError("no")
            return 7

        request = Request(scope("POST", "/api/chat"), Exchange().receive)
        assert await unless_disconnected(request, work(False)) == 7
        with pytest.raises(EngineError):
            await unless_disconnected(request, work(True))

    asyncio.run(run())
