"""Every numeric field of every route with every boundary value: accepted or 400, never 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pyinfer.store.modelfile import OPTION_TYPES

httpx2 = pytest.importorskip("httpx2")

#: Beyond what nanoseconds, seconds since 1970, C integers and floating point can hold.
VALUES = [
    *(0, -1, 1, 2**31 - 1, -(2**31) - 1, 2**32, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64),
    *(10**30, 10**400, -(10**400), 1e308, -1e308, 5e-324, 0.5, 9.3e18, 1e21, True, "7", None),
]

CHAT = {"model": "demo", "messages": [{"role": "user", "content": "a"}], "max_tokens": 1}
BODIES: dict[str, dict[str, Any]] = {
    "/api/chat": {**CHAT, "stream": False, "options": {"num_predict": 1}},
    "/api/generate": {"prompt": "a", "stream": False, "options": {"num_predict": 1}},
    "/api/embed": {"input": "a"},
    "/api/embeddings": {"prompt": "a"},
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"prompt": "a", "max_tokens": 1},
    "/v1/embeddings": {"input": "a"},
    "/completion": {"prompt": "a", "n_predict": 1},
    "/infill": {"input_prefix": "a", "input_suffix": "b", "n_predict": 1},
    "/embedding": {"content": "a"},
    "/tokenize": {"content": "a"},
    "/detokenize": {"tokens": []},
    "/apply-template": {"messages": CHAT["messages"]},
}
#: Numbers in fields that the document does not describe further.
INSIDE = [
    *[(path, ("options", name)) for path in BODIES if path.startswith("/api/")
      for name, kind in OPTION_TYPES.items() if kind is not str],
    *[(path, ("logit_bias", "5")) for path in ("/v1/chat/completions", "/v1/completions")],
    ("/completion", ("logit_bias", "5")),
    *[("/completion", ("json_schema", name)) for name in ("minLength", "maxItems", "minimum")],
    ("/api/chat", ("format", "maxLength")),
    ("/tokenize", ("content", 0)),
    ("/completion", ("prompt", 0)),
    ("/v1/completions", ("prompt", 0)),
    ("/v1/embeddings", ("input", 0)),
    ("/api/generate", ("context", 0)),
    ("/detokenize", ("tokens", 0)),
]  # fmt: skip


def numeric(schema: dict[str, Any], document: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Places of numbers in a schema; 0 stands for an item of a list."""
    if reference := schema.get("$ref"):
        schema = document["components"]["schemas"][reference.rsplit("/", 1)[1]]
    if schema.get("type") in ("integer", "number"):
        yield ()
    for other in schema.get("anyOf", ()):
        yield from numeric(other, document)
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        for place in numeric(schema["items"], document):
            yield (0, *place)
    for name, part in schema.get("properties", {}).items():
        for place in numeric(part, document):
            yield (name, *place)


def put(value: Any, place: tuple[Any, ...], number: Any) -> Any:
    """A copy of ``value`` with a number at a place."""
    if not place:
        return number
    key, *rest = place
    if key == 0:
        return [put(value[0] if isinstance(value, list) and value else None, tuple(rest), number)]
    old = value if isinstance(value, dict) else {}
    return {**old, key: put(old.get(key), tuple(rest), number)}


def places(document: dict[str, Any]) -> list[tuple[str, tuple[Any, ...]]]:
    """Path and place of every numeric field."""
    found: dict[tuple[str, tuple[Any, ...]], None] = dict.fromkeys(INSIDE)
    for path, methods in document["paths"].items():
        body = methods.get("post", {}).get("requestBody")
        if body is None or path not in BODIES:
            continue
        schema = body["content"]["application/json"]["schema"]
        found |= {(path, place): None for place in numeric(schema, document) if place}
    return list(found)


def test_no_number_is_an_internal_error(client: Any) -> None:
    document = client.get("/openapi.json").json()
    wrong = []
    asked = places(document)
    assert {path for path, _ in asked} >= set(BODIES) - {"/apply-template"}
    assert ("/completion", ("t_max_predict_ms",)) in asked
    for path, place in asked:
        for value in VALUES:
            body = put(BODIES[path], place, value)
            answer = client.post(path, content=json.dumps(body))
            if answer.status_code not in (200, 400, 501):
                wrong.append(f"{path} {place} {str(value)[:20]}: {answer.status_code}")
    assert wrong == []
