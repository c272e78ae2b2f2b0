"""The ASGI application: three dialects, security, limits and the page on one port.

From the outside in: request ids and the log (``request_log.py``), who may call (``security.py``),
memory of bodies (``body_memory.py``), the end of the server and load reports (``health.py``),
routes of the dialects. Errors get the form of the dialect of their path (``errors.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

import pyinfer
from pyinfer.server.health import Draining, LoadReport
from pyinfer.server.health import router as health
from pyinfer.server.http.body_memory import BodyAccounts, BodyMemory
from pyinfer.server.http.errors import install_error_handlers
from pyinfer.server.http.openapi import install_document
from pyinfer.server.http.request_log import Records, RequestLog
from pyinfer.server.http.security import Security
from pyinfer.server.http.settings import HttpSettings
from pyinfer.server.llama.routes import router as llama
from pyinfer.server.metrics import Metrics
from pyinfer.server.ollama.routes import router as ollama
from pyinfer.server.openai.routes import router as openai
from pyinfer.server.page.routes import router as page
from pyinfer.serving.service import Service

ROUTERS = (health, ollama, openai, llama, page)


def create_app(service: Service, http: HttpSettings | None = None) -> FastAPI:
    """The application around a service.

    Handlers find, as attributes of ``request.app.state``: ``service``, ``http`` (the
    :class:`HttpSettings`), ``metrics``, ``default_model`` (its name).

    Parameters
    ----------
    service : Service
        Started when the server starts, ended when it ends.
    http : HttpSettings, optional
        By default those of a server on loopback.
    """
    http = http or HttpSettings()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Requests are taken while models are loaded; they wait, and /health says so.
        app.state.started = asyncio.create_task(service.start())
        try:
            yield
        finally:
            app.state.started.cancel()
            await asyncio.wait([app.state.started])
            await service.drain(0.0)

    app = FastAPI(
        title="pyinfer",
        version=pyinfer.__version__,
        description="Ollama's, OpenAI's and llama-server's API to models on this machine.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    metrics = Metrics(service.stats, service.running, http.metrics, default_model_name(service))
    records = Records()
    service.on_finish(metrics.finished)
    service.on_steps(metrics.stepped)
    service.on_finish(records.add)
    app.state.service, app.state.http, app.state.metrics = service, http, metrics
    app.state.default_model = default_model_name(service)
    install_error_handlers(app)
    install_document(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(LoadReport, metrics=metrics)
    app.add_middleware(Draining, service=service)
    app.add_middleware(BodyAccounts, memory=BodyMemory(http.body_memory, http.body_memory // 2))
    app.add_middleware(Security, settings=http)
    app.add_middleware(RequestLog, records=records)
    return app


def default_model_name(service: Service) -> str:
    """What a request without a model's name gets."""
    return service.models.default_name
