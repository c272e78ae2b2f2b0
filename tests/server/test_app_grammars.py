"""Every route that takes a schema, a grammar or tools, with a compiler that does its worst."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("llguidance", reason="grammars need the extra [server]")

from pyinfer.server.app import create_app
from pyinfer.serving.service import Service
from pyinfer.text.grammar_check import CHECKER, GrammarChecker

from ..serving.services import assert_nothing_left, idle, run, running_service, until
from ..text.sandbox.workers import jobs_of, pool, server_pid
from .asgi import Exchange, scope

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
MESSAGES = [{"role": "user", "content": "12 + 30 = ?"}]
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": SCHEMA}}]
FORMAT = {"type": "json_schema", "json_schema": {"name": "sum", "schema": SCHEMA}}
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": MESSAGES, "response_format": FORMAT}),
    ("/v1/chat/completions", {"messages": MESSAGES, "structured_outputs": {"regex": "a+"}}),
    ("/v1/chat/completions", {"messages": MESSAGES, "structured_outputs": {"choice": ["a"]}}),
    ("/v1/chat/completions", {"messages": MESSAGES, "tools": TOOLS, "tool_choice": "required"}),
    ("/v1/chat/completions", {"messages": MESSAGES, "tools": TOOLS, "response_format": FORMAT}),
    ("/v1/completions", {"prompt": "a", "response_format": FORMAT}),
    ("/v1/completions", {"prompt": "a", "structured_outputs": {"grammar": 'start: "a"'}}),
    ("/api/chat", {"messages": MESSAGES, "format": SCHEMA}),
    ("/api/chat", {"messages": MESSAGES, "format": "json"}),
    ("/api/generate", {"prompt": "a", "format": SCHEMA}),
    ("/completion", {"prompt": "a", "json_schema": SCHEMA}),
    ("/completion", {"prompt": "a", "grammar": 'root ::= "a"'}),
    ("/infill", {"input_prefix": "a", "input_suffix": "b", "grammar": 'root ::= "a"'}),
]  # fmt: skip


class Client:
    """Speaks to the application of a service."""

    def __init__(self, service: Service) -> None:
        self._app = create_app(service)
        self._app.state.service = service

    async def send(self, method: str, path: str, body: Any = None) -> Exchange:
        exchange = Exchange([b"" if body is None else json.dumps(body).encode()])
        await self.talk(exchange, method, path)
        return exchange

    async def talk(self, exchange: Exchange, method: str, path: str) -> None:
        headers = [("Content-Type", "application/json")]
        await self._app(scope(method, path, headers), exchange.receive, exchange.send)


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, always: str) -> GrammarChecker:
    monkeypatch.setattr(CHECKER, "pool", pool(folder, always=always))
    monkeypatch.setattr(CHECKER, "_verdicts", type(CHECKER._verdicts)())
    return CHECKER


@pytest.mark.parametrize("always", ["allocate", "raise", "segfault"])
def test_every_route_refuses_in_our_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, always: str
) -> None:
    stand_in(tmp_path, monkeypatch, always)

    async def work() -> None:
        async with running_service() as service:
            client = Client(service)
            for path, body in REQUESTS:
                exchange = await client.send("POST", path, {"model": "demo", **body})
                text = exchange.body.decode()
                assert (exchange.status, "takes too much to compile" in text) == (400, True), text
                assert "secret" not in text
                assert "panicked" not in text
                assert (await client.send("GET", "/health")).status == 200
            await until(lambda: idle(service))
            assert_nothing_left(service)

    run(work)


def test_on_every_route_the_rest_of_the_server_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checker = stand_in(tmp_path, monkeypatch, "sleep")

    async def work() -> None:
        async with running_service() as service:
            await service.load("")
            client = Client(service)
            for path, body in REQUESTS:
                hanging = Exchange([json.dumps({"model": "demo", **body}).encode()])
                task = asyncio.create_task(client.talk(hanging, "POST", path))
                await until(lambda: checker.pool.running and jobs_of(server_pid(checker.pool)))
                assert (await client.send("GET", "/health")).status == 200
                plain = {"model": "demo", "prompt": "a", "max_tokens": 2}
                assert (await client.send("POST", "/v1/completions", plain)).status == 200
                assert not task.done()
                hanging.gone.set()  # the client leaves
                await task
                assert hanging.status in (0, 499)
                await until(lambda: not jobs_of(server_pid(checker.pool)))
            await until(lambda: idle(service))
            assert_nothing_left(service)

    run(work)
