"""Routes of the OpenAI dialect."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pyinfer.server.http.body import describe_body, read_body
from pyinfer.server.http.openapi import errors
from pyinfer.server.http.streaming import sse, unless_disconnected
from pyinfer.server.openai.begin import begin
from pyinfer.server.openai.chat_answer import ChatAnswer
from pyinfer.server.openai.chat_schema import ChatBody, chat_spec
from pyinfer.server.openai.completion_answer import TextAnswer
from pyinfer.server.openai.completion_schema import CompletionBody, completion_specs
from pyinfer.server.openai.embeddings import EmbeddingBody, embed
from pyinfer.server.openai.models import model, models

router = APIRouter(tags=["openai"])

_MODEL_ERRORS = errors(400, 404, 429, 503)


def _request_id(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


def _mirrors_reasoning(request: Request) -> bool:
    settings = getattr(request.app.state, "http", None)
    return getattr(settings, "reasoning_field", "") == "both"


@router.post("/chat/completions", include_in_schema=False)
@router.post("/v1/chat/completions", openapi_extra=describe_body(ChatBody), responses=_MODEL_ERRORS)
async def chat(request: Request) -> Response:
    """Continue a conversation."""
    service = request.app.state.service
    body = await read_body(request, ChatBody)
    spec = chat_spec(body, _request_id(request))
    answer = await unless_disconnected(request, service.generate(spec))
    rendered = ChatAnswer(body, answer, _mirrors_reasoning(request))
    if body.stream:
        return sse(rendered.chunks())
    async with answer:
        return JSONResponse(await unless_disconnected(request, rendered.whole()))


@router.post(
    "/v1/completions", openapi_extra=describe_body(CompletionBody), responses=_MODEL_ERRORS
)
async def complete(request: Request) -> Response:
    """Continue texts as they are."""
    service = request.app.state.service
    body = await read_body(request, CompletionBody)
    specs = completion_specs(body, _request_id(request))
    async with AsyncExitStack() as stack:
        answers = await unless_disconnected(request, begin(service, specs, stack))
        rendered = TextAnswer(body, answers)
        if body.stream:
            return sse(rendered.chunks(stack.pop_all()))
        return JSONResponse(await unless_disconnected(request, rendered.whole()))


@router.post("/embeddings", include_in_schema=False)
@router.post("/v1/embeddings", openapi_extra=describe_body(EmbeddingBody), responses=_MODEL_ERRORS)
async def embeddings(request: Request) -> dict[str, Any]:
    """Vectors of texts."""
    body = await read_body(request, EmbeddingBody)
    return await unless_disconnected(
        request, embed(request.app.state.service, body, _request_id(request))
    )


@router.get("/models", include_in_schema=False)
@router.get("/v1/models")
async def list_of_models(request: Request) -> dict[str, Any]:
    """What can be asked for by name."""
    return await models(request.app.state.service)


@router.get("/models/{name:path}", include_in_schema=False)
@router.get("/v1/models/{name:path}", responses=errors(400, 404))
async def one_model(request: Request, name: str) -> dict[str, Any]:
    """One model."""
    return await model(request.app.state.service, name)
