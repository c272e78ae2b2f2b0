"""Signs of life in every state of a service."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fastapi import FastAPI

from pyinfer.server.health import Draining, LoadReport, router
from pyinfer.server.http.errors import install_error_handlers
from pyinfer.server.metrics import Metrics
from pyinfer.serving.settings import ServerSettings
from pyinfer.serving.state import EngineStats, ModelStats, RunningModel, ServiceStats

from .asgi import Exchange, call


class Service:
    """What the routes ask of the real one."""

    def __init__(self) -> None:
        self.settings = ServerSettings(parallel=3)
        self.draining = False
        self.ready = True
        self.models: list[Any] = []

    def retry_after(self) -> int:
        return 23

    def running(self) -> list[Any]:
        return self.models

    def stats(self) -> ServiceStats:
        engine = EngineStats(kv_blocks=10, kv_free=4)
        return ServiceStats([ModelStats("demo", engine, 0, 64, 2, "scalar", 1)], 2, 1)


@pytest.fixture
def service() -> Service:
    return Service()


def get(service: Service, path: str, **headers: str) -> Exchange:
    app = FastAPI()
    app.include_router(router)
    install_error_handlers(app)
    app.state.service = service
    app.state.default_model = "demo"
    app.state.metrics = Metrics(service.stats, list)
    app.add_middleware(LoadReport, metrics=app.state.metrics)
    app.add_middleware(Draining, service=service)  # type: ignore[arg-type]
    given = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return asyncio.run(call(app, "GET", path, given))


READY = ("/health", "/v1/health", "/health/ready")


@pytest.mark.parametrize("path", READY)
def test_ready(service: Service, path: str) -> None:
    assert (get(service, path).status, get(service, path).json) == (200, {"status": "ok"})


def model(loaded: bool) -> Any:
    info: Any = SimpleNamespace() if loaded else None
    return RunningModel("demo", None, info, 0, None, 0, 0, 0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("models", "text"),
    [([], "Loading model"), ([model(False)], "Loading model"), ([model(True)], "No place")],
)
def test_not_ready_says_why(service: Service, models: list[Any], text: str) -> None:
    service.ready, service.models = False, models
    for path in READY:
        answer = get(service, path)
        assert answer.status == 503
        assert text in answer.json["error"]["message"]
        assert answer.json["error"]["type"] == "unavailable_error"
    assert get(service, "/health/live").status == 200


def test_a_draining_server_takes_nothing_new(service: Service) -> None:
    service.draining = True
    for path in READY:
        assert get(service, path).status == 503
    for path in ("/health/live", "/metrics", "/load"):
        assert get(service, path).status == 200
    refused = get(service, "/get_model_info")
    assert refused.status == 503
    assert refused.headers["connection"] == "close"
    assert refused.headers["retry-after"] == "23"


def test_load_and_facts_for_routers(service: Service) -> None:
    load = get(service, "/load").json
    assert load == {
        "kv_cache_usage_perc": 0.6,
        "num_requests_waiting": 1,
        "num_requests_running": 2,
    }
    assert get(service, "/get_loads").json == [
        {"dp_rank": 0, "num_reqs": 3, "num_waiting_reqs": 1, "num_tokens": 6 * 64}
    ]
    info = get(service, "/get_server_info").json
    assert (info["max_running_requests"], info["status"]) == (3, "ready")
    assert get(service, "/get_model_info").json["model_path"] == "demo"


def test_a_load_report_comes_with_any_answer_that_asks(service: Service) -> None:
    asked = {"endpoint_load_metrics_format": "TEXT"}
    head = get(service, "/health", **asked).headers["endpoint-load-metrics"]
    assert head.startswith("TEXT named_metrics.kv_cache_usage_perc=0.6")
    assert "endpoint-load-metrics" not in get(service, "/health").headers


def test_metrics_are_text(service: Service) -> None:
    answer = get(service, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert b"vllm:num_requests_running" in answer.body
