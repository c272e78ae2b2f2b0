"""``/api/show``: everything that the files say of a model."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pyinfer.server.http.body import describe_body, read_body
from pyinfer.server.http.openapi import errors
from pyinfer.server.ollama.bodies import ShowBody
from pyinfer.server.ollama.generation import timestamp
from pyinfer.server.ollama.listing import summary
from pyinfer.serving.library import read_facts, read_metadata
from pyinfer.serving.service import Service
from pyinfer.store.modelfile import parameter_lines, write_modelfile
from pyinfer.store.resolve import ResolvedModel

router = APIRouter(tags=["ollama"])


@router.post("/api/show", openapi_extra=describe_body(ShowBody), responses=errors(500))
async def show(request: Request) -> Response:
    """Describe a model."""
    body = await read_body(request, ShowBody)
    service: Service = request.app.state.service
    model = await service.resolve(body.model)
    return JSONResponse(await asyncio.to_thread(_describe, model, bool(body.verbose)))


def _describe(model: ResolvedModel, verbose: bool) -> dict[str, Any]:
    settings, facts = model.settings, read_facts(model)
    answer: dict[str, Any] = {
        "modelfile": write_modelfile(settings, model.name),
        "template": facts.template,
        "details": summary(facts),
        "capabilities": facts.capabilities,
        "modified_at": timestamp(facts.modified),
    }
    optional = {
        "license": "\n\n".join(facts.licenses),
        "parameters": "\n".join(
            f"{name:<30} {value}" for name, value in parameter_lines(settings.parameters)
        ),
        "system": settings.system,
        "messages": [dict(message) for message in settings.messages],
    }
    answer |= {name: value for name, value in optional.items() if value}
    pairs, tensors = read_metadata(model, facts.details.parameters)
    values = {pair.key: _value(pair.value, verbose) for pair in pairs}
    answer["model_info"] = values | {"general.parameter_count": facts.details.parameters}
    if verbose:
        answer["tensors"] = [
            {"name": name, "type": info.dtype.upper(), "shape": list(info.shape)}
            for name, info in tensors.items()
        ]
    return answer


def _value(value: Any, verbose: bool) -> Any:
    """A value for JSON; arrays only where they are asked for."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str | bool | int | float):
        return value
    if not verbose:
        return None
    return value.tolist() if isinstance(value, np.ndarray) else list(value)
