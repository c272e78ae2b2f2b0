"""Lines of an answer, from a script of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from pyinfer.requests.answer import Generation, Timings, Usage

pytest.importorskip("fastapi")

from pyinfer.requests.answer import Chunk, Finished, ToolCallArguments, ToolCallStart
from pyinfer.server.ollama.chat import render_chat
from pyinfer.server.ollama.generate import render_generate
from pyinfer.server.ollama.generation import Lines, timestamp
from pyinfer.text.tool_parser import ToolCall


class Scripted:
    """An answer whose events are given."""

    def __init__(self, events: list[Any], load_ns: int = 0) -> None:
        self.events = events
        self.record = SimpleNamespace(model_ns=load_ns)
        self.token_ids = [1, 2]
        self.truncated_messages = self.truncated_tokens = 0
        self.model = SimpleNamespace(name="m", tokenizer=None)
        self.left = False

    async def __aenter__(self) -> Scripted:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.left = True

    async def __aiter__(self) -> AsyncIterator[Any]:
        for event in self.events:
            yield event


def finished(reason: Any = "stop", calls: list[ToolCall] | None = None) -> Finished:
    generation = Generation(
        text="",
        reasoning="",
        token_ids=[3],
        finish_reason=reason,
        cause="eos",
        stop=None,
        seed=1,
        usage=Usage(2, 1, 1, 0),
        timings=Timings(0, 0, 5, 0, 1, 0, 1),
        tool_calls=calls or [],
    )
    return Finished(generation)


def run(events: list[Any], render: Any = render_chat, **more: Any) -> tuple[list[Any], Any]:
    """The lines of a stream, and the folded object."""

    async def lines() -> list[Any]:
        answer = Scripted(events)
        found = [x async for x in Lines(answer, "m", render, 0, **more).stream()]  # type: ignore[arg-type]
        assert answer.left
        return found

    folded = Lines(Scripted(events), "m", render, 0, **more).folded()  # type: ignore[arg-type]
    return asyncio.run(lines()), asyncio.run(folded)


def test_text_and_reasoning() -> None:
    events = [
        Chunk("reasoning", "Hm", [1]),
        Chunk("content", "4", [2]),
        Chunk("content", "2", [3]),
        finished(),
    ]
    lines, whole = run(events)
    assert [line["message"] for line in lines] == [
        {"role": "assistant", "content": "", "thinking": "Hm"},
        {"role": "assistant", "content": "4"},
        {"role": "assistant", "content": "2"},
        {"role": "assistant", "content": ""},
    ]
    assert whole["message"] == {"role": "assistant", "content": "42", "thinking": "Hm"}
    lines, whole = run(events, render_generate)
    assert [line["response"] for line in lines] == ["", "4", "2", ""]
    assert (whole["response"], whole["thinking"]) == ("42", "Hm")
    assert "context" not in whole


def test_calls_of_tools_have_objects_as_arguments() -> None:
    events = [
        ToolCallStart(0, 0, "call_12345678", "add"),
        ToolCallArguments(0, 0, '{"a": 1'),
        ToolCallArguments(0, 0, ', "b": 2}'),
        ToolCallStart(0, 1, "call_87654321", "now"),
        finished("tool_calls"),
    ]
    lines, whole = run(events)
    calls = [
        {
            "id": "call_12345678",
            "function": {"index": 0, "name": "add", "arguments": {"a": 1, "b": 2}},
        },
        {"id": "call_87654321", "function": {"index": 1, "name": "now", "arguments": {}}},
    ]
    assert [line["message"].get("tool_calls") for line in lines] == [[calls[0]], [calls[1]], None]
    assert whole["message"]["tool_calls"] == calls
    assert (whole["done_reason"], whole["message"]["content"]) == ("stop", "")


def test_arguments_that_are_no_object() -> None:
    for text, value in (("[1]", {"arguments": [1]}), ("{", {"arguments": "{"})):
        events = [ToolCallStart(0, 0, "c", "f"), ToolCallArguments(0, 0, text), finished()]
        (call,) = run(events)[1]["message"]["tool_calls"]
        assert call["function"]["arguments"] == value


def test_every_duration_is_above_zero() -> None:
    lines, whole = run([finished("length")], render_generate, context=True)
    for last in (lines[-1], whole):
        assert (last["done"], last["done_reason"]) == (True, "length")
        for name in ("total", "load", "prompt_eval", "eval"):
            assert last[f"{name}_duration"] > 0
        assert (last["prompt_eval_count"], last["eval_count"]) == (2, 1)
        assert last["prompt_cached_count"] == 1
        assert last["context"] == [1, 2, 3]


def test_times() -> None:
    assert timestamp(0.5) == "1970-01-01T00:00:00.500000Z"
