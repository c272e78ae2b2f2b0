"""``/api/pull`` from a hub on this machine."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyinfer.serving.service import Service

from ...store.hub_server import Hub

pytest.importorskip("httpx2")
pytest.importorskip("fastapi")

import fastapi
import httpx2

from pyinfer.server.http.errors import install_error_handlers
from pyinfer.server.ollama.pull import router

WEIGHTS = random.Random(1).randbytes(400_000)
MODEL = "hf.co/org/repo:Q8_0"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.setenv("PYINFER_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("NO_PROXY", "*")
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    with Hub({"org/repo": {"README.md": b"hi", "m-Q8_0.gguf": WEIGHTS}}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def client() -> httpx2.AsyncClient:
    app = fastapi.FastAPI()
    app.state.service = Service()
    install_error_handlers(app)
    app.include_router(router)
    transport = httpx2.ASGITransport(app)
    return httpx2.AsyncClient(transport=transport, base_url="http://server", timeout=300)


def lines(response: Any) -> list[dict[str, Any]]:
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def test_lines_of_a_pull_and_of_a_second_one(hub: Hub) -> None:
    async def run() -> tuple[Any, Any, Any]:
        async with client() as http:
            return (
                await http.post("/api/pull", json={"model": MODEL}),
                await http.post("/api/pull", json={"model": MODEL}),
                await http.post("/api/pull", json={"name": MODEL, "stream": False}),
            )

    first, second, third = asyncio.run(run())
    found = lines(first)
    statuses = list(dict.fromkeys(line["status"] for line in found))
    assert statuses[0] == "pulling manifest"
    assert statuses[1].startswith("pulling ")
    assert len(statuses[1]) == len("pulling ") + 12
    assert statuses[2:] == ["verifying sha256 digest", "writing manifest", "success"]
    last = [line for line in found if line["status"] == statuses[1]][-1]
    assert last["total"] == last["completed"] == len(WEIGHTS)
    assert last["digest"].startswith("sha256:" + statuses[1].split()[1])
    assert lines(second) == [{"status": "success"}]
    assert third.json() == {"status": "success"}


def test_parallel_pulls_share_one_download(hub: Hub) -> None:
    hub.rate = 2_000_000

    async def run() -> list[Any]:
        async with client() as http:
            names = (MODEL, "hf.co/org/repo:Q8_0", "hf:org/repo:Q8_0")
            posts = [http.post("/api/pull", json={"model": name}) for name in names]
            return await asyncio.gather(*posts)

    for response in asyncio.run(run()):
        assert lines(response)[-1] == {"status": "success"}
    assert hub.sent <= 1.05 * len(WEIGHTS)


def test_errors(hub: Hub) -> None:
    async def run() -> list[Any]:
        async with client() as http:
            bodies = [
                {"model": "nothing-here"},
                {"model": "hf.co/org/repo:Q2_K"},
                {"model": "hf.co/org/repo:Q2_K", "stream": False},
                {"model": ""},
            ]
            return [await http.post("/api/pull", json=body) for body in bodies]

    unknown, streamed, whole, empty = asyncio.run(run())
    assert (unknown.status_code, unknown.json()["error"]) == (404, "model 'nothing-here' not found")
    assert streamed.status_code == 200
    assert "Q2_K" in lines(streamed)[-1]["error"]
    assert whole.status_code == 404
    assert "Q2_K" in whole.json()["error"]
    assert empty.status_code == 400
