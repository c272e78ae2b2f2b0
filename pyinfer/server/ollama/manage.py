"""``/api/copy`` and ``/api/delete``."""

from __future__ import annotations

import asyncio
import contextlib

from fastapi import APIRouter, Request, Response

from pyinfer.convert.create import create_model
from pyinfer.errors import ModelNotFoundError, PyinferError
from pyinfer.requests.spec import bad_value
from pyinfer.server.http.body import describe_body, read_body
from pyinfer.server.http.openapi import errors
from pyinfer.server.ollama.bodies import CopyBody, ModelBody
from pyinfer.serving.service import Service
from pyinfer.store.local import Store
from pyinfer.store.model_settings import ModelSettings
from pyinfer.store.names import ModelName, parse_name
from pyinfer.store.resolve import ResolvedModel

router = APIRouter(tags=["ollama"])


@router.post("/api/copy", openapi_extra=describe_body(CopyBody), responses=errors(409, 500, 507))
async def copy(request: Request) -> Response:
    """Give a model a second name; one that is not in the own store is copied into it."""
    body = await read_body(request, CopyBody)
    if not body.source or not body.destination:
        raise bad_value("source", "source and destination are required")
    service: Service = request.app.state.service
    target = parse_name(body.destination)
    model = await service.resolve(body.source)
    await asyncio.to_thread(_copy, model, target)
    return Response()


def _copy(model: ResolvedModel, target: ModelName) -> None:
    if model.source == "store":
        Store().copy(parse_name(model.name), target)
    else:
        with model.reading():
            create_model(target, model, ModelSettings())


@router.delete(
    "/api/delete", openapi_extra=describe_body(ModelBody), responses=errors(409, 500, 507)
)
async def delete(request: Request) -> Response:
    """Remove a model of the own store, and unload it."""
    body = await read_body(request, ModelBody)
    if not body.model:
        raise bad_value("model", "model is required")
    service: Service = request.app.state.service
    name = parse_name(body.model)
    stored = await asyncio.to_thread(Store().find, name)
    if stored is None:
        await service.resolve(body.model)  # its 404
        raise bad_value(
            "model", f"{body.model} is not in the own store, and others are not changed"
        )
    with contextlib.suppress(PyinferError):
        await service.unload(body.model)
    try:
        await asyncio.to_thread(Store().remove, stored.name)
    except ModelNotFoundError:
        raise ModelNotFoundError(f"model '{body.model}' not found") from None
    return Response()
