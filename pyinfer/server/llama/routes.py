"""Routes of the llama-server dialect."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from pyinfer.errors import NotServedError, UnavailableError
from pyinfer.requests.spec import ServedModel, bad_value
from pyinfer.server.http.body import describe_body, parse_json, read_body, read_bytes
from pyinfer.server.http.openapi import errors
from pyinfer.server.http.streaming import unless_disconnected
from pyinfer.server.llama.completion import answer, complete, make_spec
from pyinfer.server.llama.prompts import infill_ids, prompt_ids, split_prompts
from pyinfer.server.llama.props import props as props_of
from pyinfer.server.llama.props import slot as slot_of
from pyinfer.server.llama.schemas import (
    CompletionBody,
    DetokenizeBody,
    EmbeddingBody,
    InfillBody,
    SlotAction,
    TemplateBody,
    TokenizeBody,
)
from pyinfer.server.llama.tokenize import answer_pieces, check_words
from pyinfer.serving.service import Service
from pyinfer.text.messages import begins_answer

router = APIRouter(tags=["llama-server"])

_MODEL_ERRORS = errors(400, 404, 429, 503)


async def _model(request: Request, name: str) -> ServedModel:
    service: Service = request.app.state.service
    return await unless_disconnected(request, service.served(name))


@router.post("/completion", openapi_extra=describe_body(CompletionBody), responses=_MODEL_ERRORS)
@router.post("/completions", openapi_extra=describe_body(CompletionBody), responses=_MODEL_ERRORS)
async def completion(request: Request) -> Response:
    """Continue a raw prompt, or several."""
    return await complete(request, await read_body(request, CompletionBody))


@router.post("/infill", openapi_extra=describe_body(InfillBody), responses=errors(
    400, 404, 429, 501, 503))  # fmt: skip
async def infill(request: Request) -> Response:
    """Fill in what stands between a prefix and a suffix."""
    body = await read_body(request, InfillBody)
    model = await _model(request, body.model)
    texts = (body.input_prefix, body.input_suffix, body.prompt, [x.text for x in body.input_extra])
    threads = request.app.state.service.threads
    ids = await threads.run(texts, infill_ids, model.tokenizer, body, model.context)
    spec = make_spec(request, body, model, ids)
    return await answer(request, body, [spec], body.n_cmpl > 1)


@router.post("/tokenize", openapi_extra=describe_body(TokenizeBody), responses=_MODEL_ERRORS)
async def tokenize(request: Request) -> Response:
    """Token ids of a text, on demand with their pieces."""
    body = await read_body(request, TokenizeBody)
    tokenizer = (await _model(request, body.model)).tokenizer
    threads = request.app.state.service.threads
    await threads.run(body.content, check_words, tokenizer, body.content)
    answer = answer_pieces(threads, tokenizer, body)
    return StreamingResponse(answer, media_type="application/json")


@router.post("/detokenize", openapi_extra=describe_body(DetokenizeBody), responses=_MODEL_ERRORS)
async def detokenize(request: Request) -> dict[str, Any]:
    """Text of token ids."""
    body = await read_body(request, DetokenizeBody)
    tokenizer = (await _model(request, body.model)).tokenizer
    return {"content": await asyncio.to_thread(tokenizer.decode, body.tokens)}


@router.post("/apply-template", openapi_extra=describe_body(TemplateBody), responses=_MODEL_ERRORS)
async def apply_template(request: Request) -> dict[str, Any]:
    """The prompt of a conversation."""
    body = await read_body(request, TemplateBody)
    model = await _model(request, body.model)
    if model.template is None:
        raise NotServedError("this model has no chat template")
    variables = dict(body.chat_template_kwargs)
    think = variables.pop("enable_thinking", variables.pop("thinking", None))
    opens, goes_on = body.add_generation_prompt, body.continue_final_message
    if goes_on is None:
        goes_on = opens is None and begins_answer(body.messages)
    template, messages, tools = model.template, body.messages, body.tools

    def rendered() -> str:
        if goes_on:
            return template.continuation(messages, think, tools, variables).text
        return template.render(messages, opens is not False, think, tools, variables)

    threads = request.app.state.service.threads
    return {"prompt": await threads.run((messages, tools), rendered)}


@router.post("/embedding", openapi_extra=describe_body(EmbeddingBody), responses=_MODEL_ERRORS)
async def embedding(request: Request) -> list[dict[str, Any]]:
    """Vectors of texts."""
    body = await read_body(request, EmbeddingBody)
    service: Service = request.app.state.service
    inputs = split_prompts(body.content, "content")
    served = await _model(request, body.model)

    def texts() -> list[str | list[int]]:
        limit = served.context
        return [
            text if isinstance(text, str) else prompt_ids(served.tokenizer, text, True, limit)
            for text in inputs
        ]

    found = await service.threads.run(inputs, texts)
    work = service.embed(body.model, found, request_id=request.state.request_id)
    vectors = await unless_disconnected(request, work)
    return [
        {"index": number, "embedding": [vector.tolist()]}
        for number, vector in enumerate(vectors.vectors)
    ]


@router.get("/props", responses=_MODEL_ERRORS)
async def props(request: Request, model: str = "") -> dict[str, Any]:
    """What is served and with which defaults."""
    service: Service = request.app.state.service
    served = await _model(request, model)
    return props_of(served, service.settings.parallel, request.app.state.http.slots)


@router.get("/slots", responses=errors(400, 501, 503))
async def slots(
    request: Request, fail_on_no_slot: Annotated[str, Query()] = ""
) -> list[dict[str, Any]]:
    """What each place for a sequence is doing."""
    if not request.app.state.http.slots:
        raise NotServedError("this server was started with --no-slots")
    service: Service = request.app.state.service
    states = service.slots()
    if fail_on_no_slot not in ("", "0") and all(state.phase for state in states):
        raise UnavailableError("no slot available")
    contexts = {model.name: model.context for model in service.running()}
    return [slot_of(state, contexts.get(state.model, 0)) for state in states]


@router.post("/slots/{slot_id}", responses=errors(400, 501))
async def slot_action(
    slot_id: Annotated[int, Path(ge=0, le=2**31 - 1)], action: SlotAction
) -> dict[str, Any]:
    """Save, restore or erase the cache of a slot."""
    raise NotServedError(
        f"the cache belongs to all requests, not to slots: {action} is not offered",
        hint="equal beginnings of prompts are reused by themselves",
    )


@router.get("/lora-adapters")
async def lora_adapters() -> list[dict[str, Any]]:
    """The adapters that were loaded: none."""
    return []


@router.post("/lora-adapters", responses=errors(400))
async def set_lora_adapters(request: Request) -> list[dict[str, Any]]:
    """Set the scales of adapters; there is none."""
    given = parse_json(await read_bytes(request))
    if not isinstance(given, list):
        raise bad_value("", "the body must be a list of adapters")
    if given:
        raise bad_value("id", "no adapters are loaded")
    return []
