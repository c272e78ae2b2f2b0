"""The ASGI application: three dialects, security, limits and the page on one port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from fastapi import FastAPI

from pyinfer.server.errors import install_error_handlers
from pyinfer.server.page.routes import router as page_router

#: Packages with a ``routes.py`` that has a ``router``.
DIALECTS = ("ollama", "openai", "llama")


def create_app(service: Any) -> FastAPI:
    """The application around a service; handlers find it as ``request.app.state.service``."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.drain(0.0)

    app = FastAPI(title="pyinfer", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    install_error_handlers(app)
    for name in DIALECTS:
        if find_spec(f"pyinfer.server.{name}") is not None:
            app.include_router(import_module(f"pyinfer.server.{name}.routes").router)
    app.include_router(page_router)
    return app
