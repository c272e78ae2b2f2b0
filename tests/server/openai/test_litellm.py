"""A router of other projects: litellm, through its Ollama and its OpenAI side."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any

import jsonschema
import pytest

from ..running import RunningServer

# It would look up prices on the network.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    litellm = pytest.importorskip("litellm", reason="needs the package litellm (extra [clients])")

pytestmark = pytest.mark.filterwarnings("ignore")

QUESTION = [{"role": "user", "content": "is beijing a big city?"}]
SCHEMA = {
    "type": "object",
    "properties": {"big": {"type": "boolean"}},
    "required": ["big"],
    "additionalProperties": False,
}


@pytest.fixture(params=["openai/demo", "ollama_chat/demo"])
def side(request: pytest.FixtureRequest, server: RunningServer) -> dict[str, Any]:
    """The arguments that name model and server."""
    if request.param.startswith("openai/"):
        address = {"api_base": server.url + "/v1", "api_key": "any"}
    else:
        address = {"api_base": server.url}
    return {"model": request.param, **address}


def test_chat(side: dict[str, Any]) -> None:
    answer = litellm.completion(messages=QUESTION, temperature=0, **side)
    choice = answer.choices[0]
    assert "Beijing" in choice.message.content
    assert choice.message.reasoning_content.strip()
    assert choice.finish_reason == "stop"
    assert answer.usage.completion_tokens > answer.usage.prompt_tokens > 0


def test_stream(side: dict[str, Any]) -> None:
    whole = litellm.completion(messages=QUESTION, temperature=0, **side)
    chunks = litellm.completion(messages=QUESTION, temperature=0, stream=True, **side)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert len(deltas) > 3
    message = whole.choices[0].message
    assert "".join(delta.content or "" for delta in deltas) == message.content


def test_schema(side: dict[str, Any]) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}
    answer = litellm.completion(messages=QUESTION, response_format=wanted, **side)
    jsonschema.validate(json.loads(answer.choices[0].message.content), SCHEMA)


def test_error(side: dict[str, Any]) -> None:
    side = side | {"model": side["model"].replace("demo", "nope")}
    with pytest.raises(Exception, match="nope"):
        litellm.completion(messages=QUESTION, **side)


@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_embeddings(server: RunningServer, kind: str) -> None:
    base = server.url + ("/v1" if kind == "openai" else "")
    found = litellm.embedding(
        model=f"{kind}/demo", input=["Beijing", "Paris"], api_base=base, api_key="any"
    )
    vectors = [item["embedding"] for item in found.data]
    assert len(vectors) == 2
    assert abs(sum(value * value for value in vectors[0]) - 1) < 1e-4
