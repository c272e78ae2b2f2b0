"""``/api/create``: a model made from another one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from pyinfer.convert.create import Base, CreateEvent, Progress, create_model
from pyinfer.errors import ModelFormatError, ModelNotFoundError, ModelUnsupportedError
from pyinfer.requests.spec import bad_value
from pyinfer.server.http.body import describe_body, read_body
from pyinfer.server.http.openapi import errors
from pyinfer.server.ollama.bodies import CreateBody
from pyinfer.server.ollama.options import read_options
from pyinfer.server.ollama.progress import Line, report
from pyinfer.serving.jobs import Job
from pyinfer.serving.service import Service
from pyinfer.store.go_template import to_jinja
from pyinfer.store.model_settings import ModelSettings, parse_messages
from pyinfer.store.modelfile import OPTION_TYPES, parse_modelfile
from pyinfer.store.names import ModelName, parse_name

log = logging.getLogger("pyinfer.server")

router = APIRouter(tags=["ollama"])


@router.post(
    "/api/create", openapi_extra=describe_body(CreateBody), responses=errors(409, 500, 507)
)
async def create(request: Request) -> Response:
    """Create a model from a model (``from``) or from uploaded files (``files``)."""
    body = await read_body(request, CreateBody)
    if not body.model:
        raise bad_value("model", "model is required")
    name = parse_name(body.model)
    service: Service = request.app.state.service
    source, settings = await asyncio.to_thread(_read, body)
    base: Base
    if source:
        base = await service.resolve(source)
    elif body.files:
        base = body.files
    else:
        raise bad_value("from", "neither 'from' or 'files' was specified")
    quantize = body.quantize or ""
    job = Job(partial(_create, name, base, settings, quantize), lambda event: event.status)
    return await report(request, job, _render, body.stream)


def _read(body: CreateBody) -> tuple[str, ModelSettings]:
    """What the body asks for, checked; the older field ``modelfile`` comes first."""
    if body.adapters:
        raise ModelUnsupportedError("adapters (LoRA) do not run here")
    source, settings = body.source or "", ModelSettings()
    if body.modelfile:
        file = parse_modelfile(body.modelfile)
        source, settings = source or file.source, file.settings
    licenses = [body.license] if isinstance(body.license, str) else body.license or []
    given = ModelSettings(
        template=to_jinja(body.template or ""),
        system=body.system or "",
        parameters=_parameters(body.parameters or {}),
        messages=_messages(body.messages or []),
        licenses=tuple(text for text in licenses if text),
    )
    return source, replace(given.over(settings), parent="")


def _parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options that have a meaning, with the types that they must have."""
    known = {name: value for name, value in values.items() if name in OPTION_TYPES}
    if isinstance(known.get("stop"), str):
        known["stop"] = [known["stop"]]
    read_options({**values, **known})
    return {name: value for name, value in known.items() if value is not None}


def _messages(values: list[dict[str, Any]]) -> tuple[Mapping[str, str], ...]:
    try:
        return parse_messages(values, "the request")
    except ModelFormatError as error:
        raise bad_value("messages", error.message) from None


def _create(
    name: ModelName, base: Base, settings: ModelSettings, quantize: str, tell: Progress
) -> None:
    try:
        create_model(name, base, settings, quantize=quantize, progress=tell)
    except ModelNotFoundError as error:
        if isinstance(base, Mapping):
            raise bad_value("files", str(error)) from None
        raise


def _render(event: CreateEvent) -> Iterator[Line]:
    counts = {"total": event.total, "completed": event.done} if event.total else {}
    yield {"status": event.status, **counts}
