"""``/api/chat``: a conversation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response

from pyinfer.requests.spec import bad_value
from pyinfer.server.http.body import describe_body, read_body
from pyinfer.server.http.openapi import errors
from pyinfer.server.ollama.bodies import ChatBody
from pyinfer.server.ollama.generation import Delta, load_only, read_spec, respond

router = APIRouter(tags=["ollama"])


@router.post("/api/chat", openapi_extra=describe_body(ChatBody), responses=errors(500))
async def chat(request: Request) -> Response:
    """Answer a conversation; without messages the model is loaded (or unloaded)."""
    body = await read_body(request, ChatBody)
    spec = read_spec(request, body)
    if not body.messages:
        return await load_only(request, body.model, spec.keep_alive, render_chat)
    messages = [_message(message, body.model) for message in body.messages]
    spec = replace(spec, messages=messages, tools=body.tools or None, continue_final_message=None)
    return await respond(request, body, spec, render_chat)


def render_chat(delta: Delta) -> dict[str, Any]:
    """Fields of a line."""
    message: dict[str, Any] = {"role": "assistant", "content": delta.content}
    if delta.thinking:
        message["thinking"] = delta.thinking
    if delta.tool_call is not None:
        message["tool_calls"] = [delta.tool_call]
    return {"message": message}


def _message(message: dict[str, Any], model: str) -> dict[str, Any]:
    """A message in the form that the text layer checks; content may be left out here."""
    if message.get("images"):
        raise bad_value("images", f'"{model}" does not support images')
    result = {key: value for key, value in message.items() if key != "images"}
    if result.get("content") is None:
        result["content"] = ""
    if "tool_name" in result:
        result.setdefault("name", result.pop("tool_name"))
    return result
