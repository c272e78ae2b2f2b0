"""Signs of life, load, metrics, and small facts for routers and load balancers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import pyinfer
from pyinfer.errors import UnavailableError
from pyinfer.server.http.errors import error_response
from pyinfer.server.http.openapi import errors
from pyinfer.server.metrics import Metrics, load_header
from pyinfer.serving.service import Service

router = APIRouter(tags=["operation"])

#: Answered until the very end.
_ALWAYS = ("/health", "/v1/health", "/metrics", "/load")


class Draining:
    """ASGI middleware that refuses new requests while the server waits for the running ones."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse or hand on."""
        if (
            scope["type"] != "http"
            or not self._service.draining
            or scope["path"].startswith(_ALWAYS)
        ):
            await self._app(scope, receive, send)
            return
        error = UnavailableError("the server is shutting down", hint="try another one")
        error.retry_after = self._service.retry_after()
        response = error_response(error, scope["path"])
        response.headers["Connection"] = "close"
        await response(scope, receive, send)


class LoadReport:
    """ASGI middleware that adds ``endpoint-load-metrics`` to answers where it is asked for."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, watching the head of the answer if a report is wanted."""
        form = ""
        if scope["type"] == "http":
            form = Headers(scope=scope).get("endpoint-load-metrics-format", "")
        if not form:
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                report = load_header(self._metrics.load(), form)
                if report:
                    MutableHeaders(scope=message)["endpoint-load-metrics"] = report
            await send(message)

        await self._app(scope, receive, sending)


@router.get("/health/live")
@router.head("/health/live", include_in_schema=False)
async def live() -> dict[str, str]:
    """The process is up."""
    return {"status": "ok"}


@router.get("/health", responses=errors(503))
@router.get("/v1/health", responses=errors(503))
@router.get("/health/ready", responses=errors(503))
@router.head("/health", include_in_schema=False)
@router.head("/v1/health", include_in_schema=False)
@router.head("/health/ready", include_in_schema=False)
async def ready(request: Request) -> dict[str, str]:
    """A request would be admitted or queued now."""
    service: Service = request.app.state.service
    if service.draining:
        raise UnavailableError("Shutting down")
    if not service.ready:
        loading = any(model.info is None for model in service.running()) or not service.running()
        raise UnavailableError("Loading model" if loading else "No place in the queue")
    return {"status": "ok"}


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Counters, gauges and histograms in Prometheus' text form."""
    shown: Metrics = request.app.state.metrics
    body, content_type = shown.text()
    return Response(body, media_type=content_type)


@router.get("/load")
async def load(request: Request) -> dict[str, float]:
    """What schedulers look at."""
    shown: Metrics = request.app.state.metrics
    return shown.load()


@router.get("/get_model_info")
async def model_info(request: Request) -> dict[str, Any]:
    """The served model, as SGLang's router asks for it."""
    name = request.app.state.default_model
    return {"model_path": name, "tokenizer_path": name, "is_generation": True}


@router.get("/get_server_info")
async def server_info(request: Request) -> dict[str, Any]:
    """Settings that routers look at."""
    service: Service = request.app.state.service
    settings = service.settings
    return {
        "version": pyinfer.__version__,
        "served_model_name": request.app.state.default_model,
        "dp_size": 1,
        "tp_size": 1,
        "max_running_requests": settings.parallel,
        "max_queued_requests": settings.max_queue,
        "context_length": settings.load.ctx_size,
        "status": "ready" if service.ready else "starting",
    }


@router.get("/get_loads")
async def loads(request: Request) -> list[dict[str, int]]:
    """Requests and tokens in work."""
    service: Service = request.app.state.service
    stats = service.stats()
    used = sum(
        (model.engine.kv_blocks - model.engine.kv_free) * model.block_size for model in stats.models
    )
    return [
        {
            "dp_rank": 0,
            "num_reqs": stats.running + stats.waiting,
            "num_waiting_reqs": stats.waiting,
            "num_tokens": used,
        }
    ]
