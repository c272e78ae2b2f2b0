"""``/api/embed`` and the older ``/api/embeddings``: vectors of texts."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pyinfer.requests.spec import bad_value
from pyinfer.server.http.body import describe_body, read_body
from pyinfer.server.http.openapi import errors
from pyinfer.server.http.streaming import unless_disconnected
from pyinfer.server.ollama.bodies import EmbedBody, EmbeddingsBody
from pyinfer.server.ollama.options import read_keep_alive, read_options
from pyinfer.serving.service import Service

router = APIRouter(tags=["ollama"])


@router.post("/api/embed", openapi_extra=describe_body(EmbedBody), responses=errors(500))
async def embed(request: Request) -> Response:
    """Return one vector of length 1 per text; over-long texts are cut unless told otherwise."""
    body = await read_body(request, EmbedBody)
    arrived = time.perf_counter_ns()
    options, keep_alive = read_options(body.options), read_keep_alive(body.keep_alive)
    if body.input is None:
        raise bad_value("input", "input is missing")
    inputs: list[str | list[int]] = (
        [body.input] if isinstance(body.input, str) else list(body.input)
    )
    service: Service = request.app.state.service
    if not any(inputs):
        served = await unless_disconnected(request, service.load(body.model, keep_alive))
        return JSONResponse({"model": body.model or served.name, "embeddings": []})
    made = await unless_disconnected(
        request,
        service.embed(
            body.model,
            inputs,
            dimensions=body.dimensions,
            truncate=body.truncate is not False,
            context=options.context,
            keep_alive=keep_alive,
        ),
    )
    total = time.perf_counter_ns() - arrived
    return JSONResponse(
        {
            "model": body.model or made.model.name,
            "embeddings": made.vectors.tolist(),
            "total_duration": max(1, total),
            "load_duration": max(1, made.load_ns),
            "prompt_eval_count": made.prompt_tokens,
        }
    )


@router.post("/api/embeddings", openapi_extra=describe_body(EmbeddingsBody), responses=errors(500))
async def embeddings(request: Request) -> Response:
    """Return the vector of one text."""
    body = await read_body(request, EmbeddingsBody)
    options, keep_alive = read_options(body.options), read_keep_alive(body.keep_alive)
    service: Service = request.app.state.service
    if not body.prompt:
        await unless_disconnected(request, service.load(body.model, keep_alive))
        return JSONResponse({"embedding": []})
    made = await unless_disconnected(
        request,
        service.embed(
            body.model,
            [body.prompt],
            dimensions=None,
            truncate=True,
            context=options.context,
            keep_alive=keep_alive,
        ),
    )
    return JSONResponse({"embedding": made.vectors[0].tolist()})
