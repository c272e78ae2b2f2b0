"""One request in every dialect: what is said in one must hold in all."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

httpx2 = pytest.importorskip("httpx2")

SEEDS = range(5)
QUESTION = [{"role": "user", "content": "What is 12 + 30?"}]
PROMPT = "A person as JSON: "
# As pydantic writes it: no word about further properties, numbers without bounds.
SCHEMA: dict[str, Any] = {
    "$defs": {
        "Home": {
            "properties": {"zip": {"title": "Zip", "type": "integer"}},
            "required": ["zip"],
            "title": "Home",
            "type": "object",
        }
    },
    "properties": {
        "answer": {"title": "Answer", "type": "integer"},
        "share": {"title": "Share", "type": "number"},
        "home": {"$ref": "#/$defs/Home"},
        "nick": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
    },
    "required": ["answer", "share", "home"],
    "title": "Answer",
    "type": "object",
}
CLOSED = SCHEMA | {"additionalProperties": False}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
TOOL = {"type": "function", "function": {"name": "answer", "parameters": SCHEMA}}
NAMED = {"type": "function", "function": {"name": "answer"}}


def content(body: Any) -> str:
    return body["choices"][0]["message"]["content"]


def arguments(body: Any) -> str:
    return body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]


# Route, body, where the text is. The seed is added.
SCHEMAS: dict[str, tuple[str, dict[str, Any], Any]] = {
    "response_format": (
        "/v1/chat/completions",
        {"messages": QUESTION, "response_format": FORMAT, "max_tokens": 400},
        content,
    ),
    "structured_outputs": (
        "/v1/chat/completions",
        {"messages": QUESTION, "structured_outputs": {"json": SCHEMA}, "max_tokens": 400},
        content,
    ),
    "text completion": (
        "/v1/completions",
        {"prompt": PROMPT, "response_format": FORMAT, "max_tokens": 400},
        lambda body: body["choices"][0]["text"],
    ),
    "tools, required": (
        "/v1/chat/completions",
        {
            "messages": QUESTION,
            "tools": [TOOL],
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "max_tokens": 400,
        },
        arguments,
    ),
    "tool, named": (
        "/v1/chat/completions",
        {"messages": QUESTION, "tools": [TOOL], "tool_choice": NAMED, "max_tokens": 400},
        arguments,
    ),
    "/api/chat": (
        "/api/chat",
        {"messages": QUESTION, "format": SCHEMA, "stream": False},
        lambda body: body["message"]["content"],
    ),
    "/api/generate": (
        "/api/generate",
        {"prompt": "What is 12 + 30?", "format": SCHEMA, "stream": False},
        lambda body: body["response"],
    ),
    "/completion": (
        "/completion",
        {"prompt": PROMPT, "json_schema": SCHEMA, "n_predict": 400},
        lambda body: body["content"],
    ),
}


@pytest.mark.parametrize("way", SCHEMAS)
def test_a_schema_without_a_word_about_further_properties(client: httpx2.Client, way: str) -> None:
    path, body, text_of = SCHEMAS[way]
    for seed in SEEDS:
        given = {"options": {"seed": seed, "num_predict": 400}} if "/api/" in path else {
            "seed": seed
        }  # fmt: skip
        answer = client.post(path, json=body | given).raise_for_status().json()
        jsonschema.validate(json.loads(text_of(answer)), CLOSED)
