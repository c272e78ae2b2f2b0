"""``/api/tags`` and ``/api/ps``: what is here, and what is loaded."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pyinfer.errors import PyinferError
from pyinfer.server.http.openapi import errors
from pyinfer.server.ollama.catalog import facts_of, full_name
from pyinfer.server.ollama.generation import timestamp
from pyinfer.serving.service import Service
from pyinfer.serving.state import RunningModel
from pyinfer.store.listing import list_models
from pyinfer.store.resolve import ResolvedModel

#: What a time that never comes looks like.
NEVER = "9999-12-31T23:59:59Z"

router = APIRouter(tags=["ollama"])


@router.get("/api/tags", responses=errors(500))
async def tags(request: Request) -> Response:
    """List the models on this machine, the newest first."""
    service: Service = request.app.state.service
    models = await asyncio.to_thread(_entries, service.known())
    return JSONResponse({"models": models})


def _entries(known: list[ResolvedModel]) -> list[dict[str, Any]]:
    """Models of the stores, and those that are served whatever the stores hold."""
    found: dict[str, tuple[float, dict[str, Any]]] = {}
    models = [(m.name, m.path, m.settings, m.digest) for m in list_models()]
    for name, path, settings, digest in [
        *((m.name, m.path, m.settings, m.digest) for m in known),
        *models,
    ]:
        try:
            facts = facts_of(path, settings, digest)
        except (PyinferError, OSError):
            continue  # damaged, or removed meanwhile
        name = full_name(name)
        found.setdefault(name.lower(), (facts.modified, facts.entry(name, settings)))
    ordered = sorted(found.values(), key=lambda pair: -pair[0])
    return [entry for _, entry in ordered]


@router.get("/api/ps", responses=errors(500))
async def ps(request: Request) -> Response:
    """List the loaded models, the one that stays longest first."""
    service: Service = request.app.state.service
    running = [(model, _expiry(service, model)) for model in service.running()]
    running.sort(key=lambda pair: -pair[1])
    entries = [await _running(service, model, expiry) for model, expiry in running]
    return JSONResponse({"models": [entry for entry in entries if entry]})


def _expiry(service: Service, model: RunningModel) -> float:
    """Seconds since 1970; infinite for never."""
    if model.expires_at is not None:
        return model.expires_at
    stays = service.settings.keep_alive
    return time.time() + stays if model.requests and stays >= 0 else float("inf")


async def _running(service: Service, model: RunningModel, expiry: float) -> dict[str, Any] | None:
    try:
        resolved = await service.resolve(model.name)
        facts = await asyncio.to_thread(facts_of, resolved.path, resolved.settings, resolved.digest)
    except (PyinferError, OSError):
        return None  # removed while it is loaded
    name = full_name(model.name)
    return {
        "name": name,
        "model": name,
        "size": model.memory,
        "digest": facts.digest,
        "details": facts.summary(resolved.settings),
        "expires_at": NEVER if expiry == float("inf") else timestamp(expiry),
        "size_vram": 0,
        "context_length": model.context,
    }
