"""``/api/copy`` and ``/api/delete``."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from pyinfer.requests.spec import bad_value
from pyinfer.server.http.body import describe_body, read_body
from pyinfer.server.http.openapi import errors
from pyinfer.server.ollama.bodies import CopyBody, ModelBody
from pyinfer.serving.library import copy_model
from pyinfer.serving.service import Service
from pyinfer.store.names import parse_name

router = APIRouter(tags=["ollama"])


@router.post("/api/copy", openapi_extra=describe_body(CopyBody), responses=errors(409, 500, 507))
async def copy(request: Request) -> Response:
    """Give a model a second name; one that is not in the own store is copied into it."""
    body = await read_body(request, CopyBody)
    if not body.source or not body.destination:
        raise bad_value("source", "source and destination are required")
    service: Service = request.app.state.service
    target = parse_name(body.destination)
    await asyncio.to_thread(copy_model, await service.resolve(body.source), target)
    return Response()


@router.delete(
    "/api/delete", openapi_extra=describe_body(ModelBody), responses=errors(409, 500, 507)
)
async def delete(request: Request) -> Response:
    """Remove a model of the own store, and unload it."""
    body = await read_body(request, ModelBody)
    if not body.model:
        raise bad_value("model", "model is required")
    service: Service = request.app.state.service
    await service.delete(body.model)
    return Response()
