"""The library and the server give the same tokens for the same request, whoever describes it.

Every case is asked twice: as keyword arguments of ``LLM``, and as the body of an HTTP request that
the dialect reads and an engine process answers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

import pyinfer
from pyinfer import LLM, Generation, SamplingParams
from pyinfer.requests.answer import Chunk, Finished
from pyinfer.requests.spec import GenerateSpec
from pyinfer.store.model_settings import ModelSettings
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.store.resolve import ResolvedModel

pytest.importorskip("fastapi", reason="needs the extra [server]")
pytest.importorskip("llguidance", reason="grammars need the extra [server]")

from pyinfer.server.http.body import parse_body
from pyinfer.server.openai.chat_schema import ChatBody, chat_spec
from pyinfer.server.openai.completion_schema import CompletionBody, completion_specs

from ..serving.services import run, running_service

QUESTION = [{"role": "user", "content": "Which is larger, 9.11 or 9.9?"}]
#: Not one of DeepSeek's, so it runs in the sandbox.
OTHER = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
TEMPLATES = {"R1": "", "other": OTHER}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Oslo", "Rome"]}},
            "required": ["city"],
        },
    },
}
SCHEMA = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}
LONG = [
    {"role": ("user", "assistant")[n % 2], "content": f"Turn {n}: " + "one two three " * 8}
    for n in range(12)
] + QUESTION


@dataclass(frozen=True)
class Case:
    """One request: what both sides are told, and what only one of them is told in its words."""

    params: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)  # of LLM
    body: dict[str, Any] = field(default_factory=dict)  # of the request
    spec: dict[str, Any] = field(default_factory=dict)  # what the dialect has no field for
    messages: list[dict[str, str]] | None = field(default_factory=lambda: QUESTION)
    prompt: str = "Count: 1 2 3"


GREEDY = {"temperature": 0, "max_tokens": 60, "seed": 5}
WARM = {"temperature": 1.8, "top_p": 1, "top_k": 40, "seed": 11, "max_tokens": 40}
CASES = {
    "greedy chat": Case(GREEDY),
    "sampled chat": Case(WARM),
    "raw prompt": Case(WARM, messages=None),
    "stop string": Case(GREEDY | {"stop": ["9.9"]}),
    "stop in raw": Case(GREEDY | {"stop": [" 5", "7"]}, messages=None),
    "no reasoning": Case(
        GREEDY, {"think": False}, {"chat_template_kwargs": {"enable_thinking": False}}
    ),
    "tools": Case(
        WARM | {"max_tokens": 200},
        {"tools": [WEATHER], "tool_choice": "required", "think": False},
        {"tools": [WEATHER], "tool_choice": "required", "reasoning_effort": "none"},
    ),
    "three": Case(WARM, {"n": 3}, {"n": 3}),
    "schema": Case(
        WARM | {"max_tokens": 200},
        {"json_schema": SCHEMA},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
    ),
    "budget": Case(GREEDY, {"reasoning_budget": 4}, {"thinking_token_budget": 4}),
    "cut conversation": Case(
        GREEDY, {"truncate": True, "context": 256}, {"num_ctx": 256}, {"truncate": True}, LONG
    ),
    "guarded": Case(WARM | {"max_tokens": 400}, {"loop_guard": True}, {}, {"loop_guard": True}),
}


def spec_of(case: Case) -> GenerateSpec:
    """The request as the server sees it."""
    body = case.params | case.body | {"stream": True}
    if case.messages is None:
        data = json.dumps(body | {"prompt": case.prompt}).encode()
        (spec,) = completion_specs(parse_body(data, CompletionBody), "")
    else:
        data = json.dumps(body | {"messages": case.messages}).encode()
        spec = chat_spec(parse_body(data, ChatBody), "")
    return replace(spec, **case.spec)


async def ask_all(template: str) -> dict[str, list[Any]]:
    """Events of every case, answered at the same time."""

    async def ask(service: Any, case: Case) -> list[Any]:
        async with await service.generate(spec_of(case)) as answer:
            return [event async for event in answer]

    async with running_service(preload=("demo",), template=template or None) as service:
        found = await asyncio.gather(*(ask(service, case) for case in CASES.values()))
    return dict(zip(CASES, found, strict=True))


@dataclass(frozen=True)
class Sides:
    llm: LLM
    served: dict[str, list[Any]]


@pytest.fixture(scope="module", params=TEMPLATES)
def sides(request: pytest.FixtureRequest) -> Iterator[Sides]:
    """The model in this process, and what a server has answered."""
    template = TEMPLATES[request.param]
    model = ResolvedModel("demo", DEMO_FOLDER, "path", ModelSettings(template=template))
    served = run(lambda: ask_all(template))
    with pyinfer.load(model) as llm:
        yield Sides(llm, served)


def seen(generation: Generation) -> tuple[Any, ...]:
    """Everything of an answer that does not depend on when it was given."""
    calls = [(call.name, call.arguments) for call in generation.tool_calls]
    counts = replace(generation.usage, cached_tokens=0)
    return (
        generation.token_ids, generation.text, generation.reasoning, generation.finish_reason,
        generation.cause, generation.stop, generation.seed, calls, counts,
    )  # fmt: skip


def texts(parts: list[Any]) -> dict[tuple[int, str], str]:
    """The text of each kind in each answer, joined."""
    found: dict[tuple[int, str], str] = {}
    for part in parts:
        if not isinstance(part, Finished):
            found[part.index, part.kind] = found.get((part.index, part.kind), "") + part.text
    return found


@pytest.mark.parametrize("name", CASES)
def test_same_tokens(sides: Sides, name: str) -> None:
    case, events = CASES[name], sides.served[name]
    params = SamplingParams(**case.params)
    # As the dialect: text is continued as a whole, its reasoning stays where it is.
    raw = {"split_reasoning": False}
    if case.messages is None:
        whole = sides.llm.generate(case.prompt, params=params, **raw, **case.options)  # type: ignore[arg-type]
        stream = sides.llm.stream(case.prompt, params=params, **raw, **case.options)  # type: ignore[arg-type]
    else:
        whole = sides.llm.chat(case.messages, params, **case.options)
        stream = sides.llm.stream_chat(case.messages, params, **case.options)
    served = sorted((e for e in events if isinstance(e, Finished)), key=lambda end: end.index)
    assert [seen(end.generation) for end in served] == [seen(one) for one in whole.choices]
    parts = list(stream)
    assert [seen(one) for one in stream.result().choices] == [seen(one) for one in whole.choices]
    assert texts(parts) == texts(events)


def test_the_cases_do_what_they_are_named_for(sides: Sides) -> None:
    ends = {
        name: [event.generation for event in events if isinstance(event, Finished)]
        for name, events in sides.served.items()
    }
    assert len(ends["three"]) == 3
    assert len({tuple(one.token_ids) for one in ends["three"]}) > 1
    assert ends["tools"][0].finish_reason == "tool_calls"
    assert json.loads(ends["tools"][0].tool_calls[0].arguments)["city"] in ("Oslo", "Rome")
    assert isinstance(json.loads(ends["schema"][0].text)["yes"], bool)
    assert ends["cut conversation"][0].usage.prompt_tokens <= 192
    assert ends["stop in raw"][0].stop in (" 5", "7", None)
    assert any(isinstance(event, Chunk) for event in sides.served["greedy chat"])


def test_asyncio_gives_the_same(sides: Sides) -> None:
    params = SamplingParams(**WARM)

    async def both() -> tuple[Generation, Generation]:
        return (
            await sides.llm.achat(QUESTION, params, n=2),
            await sides.llm.agenerate("Count: 1 2 3", params=params, loop_guard=True),
        )

    chat, text = asyncio.run(both())
    assert [seen(one) for one in chat.choices] == [
        seen(one) for one in sides.llm.chat(QUESTION, params, n=2).choices
    ]
    assert seen(text) == seen(sides.llm.generate("Count: 1 2 3", params=params))
