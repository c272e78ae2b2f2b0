"""One line per request, whatever becomes of it."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.requests import ClientDisconnect

from pyinfer.errors import RequestError
from pyinfer.server.http import request_log
from pyinfer.server.http.request_log import (
    MAX_RECORDS,
    REQUEST_ID,
    JsonLines,
    Records,
    RequestLog,
    log_refusal,
)
from pyinfer.serving.state import RequestRecord

from ..asgi import App, Exchange, call, scope


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What is logged."""
    caplog.set_level(logging.INFO, "pyinfer.server")
    return caplog


def facts(lines: pytest.LogCaptureFixture, event: str = "request") -> list[dict[str, Any]]:
    return [line.facts for line in lines.records if line.getMessage() == event]  # type: ignore[attr-defined]


def ask(app: App, headers: list[tuple[str, str]] | None = None) -> tuple[Exchange, Records]:
    records = Records()
    log = RequestLog(app, records)
    return asyncio.run(call(log, "POST", "/api/chat", headers or [])), records


def test_a_request_id_is_taken_made_and_echoed(lines: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(REQUEST_ID.get())
        assert scope["state"]["request_id"] == seen[-1]
        await PlainTextResponse("hello")(scope, receive, send)

    for given, kept in (("abc-1:2", True), ("a b", False), ("", False), ("x" * 129, False)):
        exchange, _ = ask(app, [("X-Request-Id", given)])
        assert exchange.headers["x-request-id"] == seen[-1]
        assert (seen[-1] == given) == kept
        assert kept or seen[-1].startswith("req-")
    assert len(set(seen)) == 4
    assert REQUEST_ID.get() == ""
    line = facts(lines)[0]
    assert line["duration_ms"] >= 0
    del line["duration_ms"]
    assert line == {
        "request_id": "abc-1:2",
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/api/chat",
        "status": 200,
        "bytes": 5,
    }


def test_what_the_service_recorded_is_part_of_the_line(lines: pytest.LogCaptureFixture) -> None:
    records = Records()
    record = RequestRecord(
        "r1", "demo", "length", "", "decode", 7, 3, 5, queue_ns=1_500_000, loops=1
    )

    async def app(scope: Any, receive: Any, send: Any) -> None:
        records.add(record)
        record.reason = "tool_calls"
        await JSONResponse({})(scope, receive, send)

    asyncio.run(call(RequestLog(app, records), headers=[("X-Request-Id", "r1")]))
    (line,) = facts(lines)
    wanted = {"model": "demo", "reason": "tool_calls", "prompt_tokens": 7, "cached_tokens": 3,
              "completion_tokens": 5, "queue_ms": 1.5, "loops": 1}  # fmt: skip
    assert {key: line[key] for key in wanted} == wanted
    assert not {"error", "phase", "truncated_messages"} & line.keys()
    assert records.take("r1") is None


def test_a_bug_is_an_error_without_details(lines: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("/secret/path")

    exchange, _ = ask(app)
    assert exchange.status == 500
    assert "secret" not in exchange.body.decode()
    assert facts(lines)[0]["status"] == 500
    assert facts(lines, "a request failed")[0].keys() == {"request_id"}


def test_a_client_that_left_is_499_and_its_record_may_come_later(
    lines: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "LATE_RECORD_SECONDS", 0.0)
    records = Records()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})

    async def work() -> None:
        exchange = Exchange()
        await RequestLog(app, records)(
            scope(headers=[("X-Request-Id", "gone")]), exchange.receive, exchange.send
        )
        assert not facts(lines)
        records.add(RequestRecord("gone", "demo", "abort", phase="prefill"))
        async with asyncio.timeout(60):
            while not facts(lines):
                await asyncio.sleep(0)

    asyncio.run(work())
    (line,) = facts(lines)
    assert (line["status"], line["bytes"]) == (499, 3)
    assert (line["reason"], line["phase"]) == ("abort", "prefill")


def test_a_client_that_left_while_its_body_came_is_no_error(
    lines: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "LATE_RECORD_SECONDS", 0.0)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ClientDisconnect

    async def work() -> None:
        exchange = Exchange()
        await RequestLog(app, Records())(scope(), exchange.receive, exchange.send)
        async with asyncio.timeout(60):
            while not facts(lines):
                await asyncio.sleep(0)

    asyncio.run(work())
    (line,) = facts(lines)
    assert line["status"] == 499
    assert not facts(lines, "a request failed")


def test_other_traffic_passes(lines: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(RequestLog(app, Records())({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]
    assert not facts(lines)


def test_records_that_nobody_takes_are_bounded() -> None:
    records = Records()
    for number in range(MAX_RECORDS + 5):
        records.add(RequestRecord(f"r{number}", "demo"))
    records.add(RequestRecord("", "demo"))
    assert records.take("r4") is None
    assert records.take("") is None
    assert records.take("r5") is not None
    assert records.take("r5") is None


def test_lines_are_json() -> None:
    given = {"msg": "a\nb é", "levelname": "WARNING", "created": 0.5, "facts": {"status": 200}}
    text = JsonLines().format(logging.makeLogRecord(given))
    assert "\n" not in text
    assert json.loads(text) == {
        "time": "1970-01-01T00:00:00.500Z",
        "level": "warning",
        "event": "a\nb é",
        "status": 200,
    }


def test_refusals_name_no_paths(lines: pytest.LogCaptureFixture) -> None:
    log_refusal(("10.0.0.1", 5), "/x", 400, RequestError("bad /etc/passwd"))
    (line,) = facts(lines, "refused")
    assert (line["status"], line["path"], line["client"]) == (400, "/x", "10.0.0.1")
