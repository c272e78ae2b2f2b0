"""A round trip with ``langchain-ollama``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from ..running import RunningServer

langchain_ollama = pytest.importorskip("langchain_ollama", reason="needs the extra [clients]")

SCHEMA = {
    "title": "Result",
    "type": "object",
    "properties": {"value": {"type": "integer"}},
    "required": ["value"],
    "additionalProperties": False,
}


Chat = Callable[..., Any]


@pytest.fixture
def chat(server: RunningServer) -> Iterator[Chat]:
    """Makes models whose connections are closed after the test."""
    made = []

    def make(**more: object) -> Any:
        model = langchain_ollama.ChatOllama(
            model="demo", base_url=server.url, temperature=0, num_predict=400, **more
        )
        made.append(model)
        return model

    yield make
    for model in made:
        model._client.close()


def test_an_answer_and_its_stream(chat: Chat) -> None:
    model = chat(reasoning=True)
    answer = model.invoke("What is 12 + 30?")
    assert "42" in answer.content
    assert answer.additional_kwargs["reasoning_content"]
    assert answer.response_metadata["done_reason"] == "stop"
    usage = answer.usage_metadata
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 10
    pieces = list(model.stream("What is 12 + 30?"))
    assert "".join(piece.content for piece in pieces) == answer.content
    assert len(pieces) > 2
    short = chat(reasoning=False).invoke("What is 12 + 30?")
    assert "reasoning_content" not in short.additional_kwargs


def test_structured_output(chat: Chat) -> None:
    for method in ("json_schema", "json_mode"):
        model = chat(reasoning=False).with_structured_output(
            SCHEMA, method=method, include_raw=True
        )
        raw = model.invoke("What is 12 + 30?")["raw"]
        assert raw.content.lstrip().startswith("{")
        if raw.response_metadata["done_reason"] == "stop":
            value = json.loads(raw.content)
            assert isinstance(value, dict)
            if method == "json_schema":
                assert list(value) == ["value"]


def test_tools(chat: Chat) -> None:
    from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    messages = [
        HumanMessage("What is 12 + 30?"),
        AIMessage("", tool_calls=[{"name": "add", "args": {"a": 12, "b": 30}, "id": "call_1"}]),
        ToolMessage("42", tool_call_id="call_1", name="add"),
    ]
    answer = chat(reasoning=False).bind_tools([add]).invoke(messages)
    assert answer.type == "ai"
    assert answer.response_metadata["eval_count"] > 0


def test_embeddings(server: RunningServer) -> None:
    model = langchain_ollama.OllamaEmbeddings(model="demo", base_url=server.url)
    one, two = model.embed_documents(["hello", "What is 12 + 30?"])
    assert len(one) == len(two)
    np.testing.assert_array_equal(model.embed_query("hello"), one)
    model._client.close()
