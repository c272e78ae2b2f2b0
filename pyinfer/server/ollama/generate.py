"""``/api/generate``: one prompt."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from pyinfer.requests.spec import bad_value
from pyinfer.server.http.body import describe_body, read_body
from pyinfer.server.http.openapi import errors
from pyinfer.server.http.streaming import unless_disconnected
from pyinfer.server.ollama.bodies import GenerateBody
from pyinfer.server.ollama.generation import Delta, load_only, read_spec, respond
from pyinfer.serving.service import Service

MAX_CONTEXT_IDS = 1 << 20

router = APIRouter(tags=["ollama"])


@router.post("/api/generate", openapi_extra=describe_body(GenerateBody), responses=errors(500))
async def generate(request: Request) -> Response:
    """Answer a prompt; without one the model is loaded (or unloaded)."""
    body = await read_body(request, GenerateBody)
    _check(body)
    spec = read_spec(request, body)
    if not body.prompt:
        return await load_only(request, body.model, spec.keep_alive, render_generate)
    messages: list[dict[str, Any]] | None = None
    prompt: str | list[int] | None = None
    if body.raw:
        prompt = body.prompt
    else:
        messages = [{"role": "user", "content": body.prompt}]
        if body.system:
            messages.insert(0, {"role": "system", "content": body.system})
        if body.context:
            service: Service = request.app.state.service
            work = _continued(service, body.model, body.context, messages, spec.think)
            prompt, messages = await unless_disconnected(request, work), None
    spec = replace(
        spec,
        messages=messages,
        prompt=prompt,
        split_reasoning=not body.raw,
        stops_in_content=not body.raw,
    )
    return await respond(request, body, spec, render_generate, context=not body.raw)


def render_generate(delta: Delta) -> dict[str, Any]:
    """Fields of a line."""
    fields: dict[str, Any] = {"response": delta.content}
    if delta.thinking:
        fields["thinking"] = delta.thinking
    return fields


def _check(body: GenerateBody) -> None:
    if body.raw and (body.template or body.system or body.context):
        raise bad_value("raw", "raw mode does not support template, system, or context")
    if body.template:
        raise bad_value(
            "template", "a template in a request is not run; create a model that has it"
        )
    if body.suffix:
        raise bad_value("suffix", f'"{body.model}" does not support insert')
    if body.images:
        raise bad_value("images", f'"{body.model}" does not support images')
    if len(body.context or ()) > MAX_CONTEXT_IDS:
        raise bad_value("context", f"context may have at most {MAX_CONTEXT_IDS} token ids")


async def _continued(
    service: Service,
    model: str,
    context: list[int],
    messages: list[dict[str, Any]],
    think: bool | None,
) -> list[int]:
    """Token ids of an earlier answer's ``context`` and of a new turn after it."""
    served = await service.served(model)
    known = served.tokenizer.n_tokens
    if not all(0 <= token < known for token in context):
        raise bad_value("context", f"context must hold token ids below {known}")
    if served.template is None:
        raise bad_value("context", f'"{model}" has no chat template')
    render = partial(served.template.prompt, messages, think=think, limit=served.context)
    turn = await service.threads.run(messages, render)
    ids = turn.token_ids
    if ids and ids[0] == served.tokenizer.bos_id:
        ids = ids[1:]
    return [*context, *ids]
