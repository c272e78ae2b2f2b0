"""``/api/tags`` and ``/api/ps``: what is here, and what is loaded."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pyinfer.convert.model_pairs import size_label
from pyinfer.errors import PyinferError
from pyinfer.server.http.openapi import errors
from pyinfer.server.ollama.generation import timestamp
from pyinfer.serving.library import ModelFacts, list_facts, read_facts
from pyinfer.serving.service import Service
from pyinfer.serving.state import RunningModel
from pyinfer.store.names import DEFAULT_TAG

#: What a time that never comes looks like.
NEVER = "9999-12-31T23:59:59Z"

router = APIRouter(tags=["ollama"])


@router.get("/api/tags", responses=errors(500))
async def tags(request: Request) -> Response:
    """List the models on this machine, the newest first."""
    service: Service = request.app.state.service
    models = await asyncio.to_thread(list_facts, service.known())
    found: dict[str, ModelFacts] = {}
    for model in models:
        found.setdefault(full_name(model.name).lower(), model)
    return JSONResponse({"models": [_entry(model) for model in found.values()]})


def _entry(model: ModelFacts) -> dict[str, Any]:
    name = full_name(model.name)
    return {
        "name": name,
        "model": name,
        "modified_at": timestamp(model.modified),
        "size": model.size,
        "digest": model.digest,
        "details": summary(model),
        "capabilities": model.capabilities,
    }


def summary(model: ModelFacts) -> dict[str, Any]:
    """The field ``details``."""
    details, config = model.details, model.details.config
    return {
        "parent_model": model.settings.parent,
        "format": "gguf" if details.kind == "gguf" else "safetensors",
        "family": config.architecture,
        "families": [config.architecture],
        "parameter_size": size_label(details.parameters),
        "quantization_level": details.main_format.upper(),
    }


def full_name(name: str) -> str:
    """The name with a tag, as Ollama shows it."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:{DEFAULT_TAG}"


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
        facts = await asyncio.to_thread(read_facts, resolved)
    except PyinferError:
        return None  # removed while it is loaded
    name = full_name(model.name)
    return {
        "name": name,
        "model": name,
        "size": model.memory,
        "digest": facts.digest,
        "details": summary(facts),
        "expires_at": NEVER if expiry == float("inf") else timestamp(expiry),
        "size_vram": 0,
        "context_length": model.context,
    }
