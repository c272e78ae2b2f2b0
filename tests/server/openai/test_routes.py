"""The routes as the official package sees them, on a running server with the embedded model."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2
import jsonschema
import numpy as np
import pytest

from .asked import CITY, QUESTION, WEATHER

openai = pytest.importorskip("openai", reason="needs the package openai (extra [clients])")

CLOCK: Any = {"type": "function", "function": {"name": "clock"}}


def chat(api: Any, **fields: Any) -> Any:
    fields = {"model": "demo", "messages": QUESTION, "temperature": 0} | fields
    return api.chat.completions.create(**fields)


def test_the_newcomers_call(client: httpx2.Client) -> None:
    body = {"model": "demo", "messages": QUESTION}
    response = client.post("/v1/chat/completions", json=body)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert answer["object"] == "chat.completion"
    assert answer["id"].startswith("chatcmpl-")
    (choice,) = answer["choices"]
    assert choice["message"]["role"] == "assistant"
    usage, timings = answer["usage"], answer["timings"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert timings["prompt_n"] + timings["cache_n"] == usage["prompt_tokens"]
    assert timings["predicted_n"] == usage["completion_tokens"]
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]


def test_chat(api: Any) -> None:
    answer = chat(api)
    (choice,) = answer.choices
    assert "Beijing" in choice.message.content
    assert choice.message.reasoning_content.strip()
    assert "think>" not in choice.message.content + choice.message.reasoning_content
    assert choice.finish_reason == "stop"
    assert choice.logprobs is None
    assert answer.model == "demo"
    assert answer.system_fingerprint.startswith("b")
    again = chat(api)
    assert again.choices[0].message.content == choice.message.content
    assert again.usage.prompt_tokens_details.cached_tokens > 0
    assert again.id != answer.id


def joined(chunks: list[Any], index: int = 0) -> dict[str, str]:
    """What a client makes of the deltas of one choice."""
    texts = {"content": "", "reasoning_content": ""}
    for chunk in chunks:
        for choice in chunk.choices:
            if choice.index == index:
                for name in texts:
                    texts[name] += getattr(choice.delta, name, None) or ""
    return texts


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"n": 3, "temperature": 1, "seed": 7},
        {"max_tokens": 9},
        {"extra_body": {"reasoning_format": "none"}},
        {"extra_body": {"include_reasoning": False}},
        {"reasoning_effort": "none"},
    ],
)
def test_a_stream_says_the_same(api: Any, fields: dict[str, Any]) -> None:
    whole = chat(api, **fields)
    chunks = list(chat(api, stream=True, stream_options={"include_usage": True}, **fields))
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    for choice in whole.choices:
        message = choice.message
        mine = [c for chunk in chunks for c in chunk.choices if c.index == choice.index]
        texts = joined(chunks, choice.index)
        assert texts["content"] == message.content
        assert texts["reasoning_content"] == (getattr(message, "reasoning_content", None) or "")
        assert (mine[0].delta.role, mine[0].delta.content) == ("assistant", None)
        assert [c.delta.role for c in mine[1:]] == [None] * (len(mine) - 1)
        assert [c.finish_reason for c in mine] == [None] * (len(mine) - 1) + [choice.finish_reason]
    assert chunks[-1].choices == []
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-1].timings["predicted_n"]


def test_reasoning_stays_where_it_is_wanted(api: Any) -> None:
    text = chat(api, extra_body={"reasoning_format": "none"}).choices[0].message
    assert text.content.startswith("<think>\n")
    assert "</think>" in text.content
    assert not hasattr(text, "reasoning_content")
    assert not hasattr(chat(api, reasoning_effort="none").choices[0].message, "reasoning_content")


def test_the_last_chunk_without_usage_has_timings(client: httpx2.Client) -> None:
    body = {"model": "demo", "messages": QUESTION, "stream": True, "max_tokens": 4}
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-cache"
        lines = [line for line in response.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line[6:]) for line in lines[:-1]]
    assert "timings" in chunks[-1]
    assert not any("timings" in chunk or "usage" in chunk for chunk in chunks[:-1])
    assert chunks[-1]["choices"][0] == {
        "index": 0, "delta": {}, "logprobs": None, "finish_reason": "length"
    }  # fmt: skip


def test_timings_per_token(api: Any) -> None:
    more = {"timings_per_token": True}
    chunks = list(chat(api, stream=True, max_tokens=12, extra_body=more))
    assert not any(hasattr(chunk, "prompt_progress") for chunk in chunks)
    timed = [chunk.timings for chunk in chunks if hasattr(chunk, "timings")]
    assert len(timed) == len(chunks) - 1  # the first one only opens the answer
    counts = [timings["predicted_n"] for timings in timed]
    assert counts == sorted(counts)
    assert counts[-1] == 12
    assert len({timings["prompt_n"] + timings["cache_n"] for timings in timed}) == 1


def test_choices_draw_apart_and_repeat_with_the_seed(api: Any) -> None:
    first, second = (
        # The embedded model's own top_p leaves it no choice.
        chat(api, n=4, temperature=2, top_p=1, seed=5, max_tokens=30)
        for _ in range(2)
    )
    texts = [c.message.model_dump_json() for c in first.choices]
    assert texts == [c.message.model_dump_json() for c in second.choices]
    assert len(set(texts)) > 1
    assert [c.index for c in first.choices] == [0, 1, 2, 3]
    assert first.usage.completion_tokens > 12


def test_logprobs(api: Any) -> None:
    fields = {"logprobs": True, "top_logprobs": 3, "reasoning_effort": "none"}
    choice = chat(api, **fields).choices[0]
    tokens = choice.logprobs.content
    assert b"".join(bytes(t.bytes) for t in tokens).decode() == choice.message.content
    for token in tokens:
        best = [other.logprob for other in token.top_logprobs]
        assert len(best) == 3
        assert best == sorted(best, reverse=True)
        assert token.logprob == best[0] <= 0
    chunks = list(chat(api, stream=True, **fields))
    streamed = [
        t for chunk in chunks for c in chunk.choices if c.logprobs for t in c.logprobs.content
    ]
    assert [t.model_dump() for t in streamed] == [t.model_dump() for t in tokens]


def test_reasoning_budget(api: Any) -> None:
    answer = chat(api, extra_body={"thinking_token_budget": 3})
    assert 3 <= answer.usage.completion_tokens_details.reasoning_tokens <= 6
    assert answer.choices[0].message.content
    off = chat(api, extra_body={"thinking_token_budget": 0})
    assert off.usage.completion_tokens_details.reasoning_tokens == 0


def test_stop_and_limits(api: Any) -> None:
    answer = chat(api, stop=["big"], reasoning_effort="none")
    assert answer.choices[0].finish_reason == "stop"
    assert "big" not in answer.choices[0].message.content
    answer = chat(api, max_completion_tokens=2)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 2


@pytest.mark.parametrize("effort", ["high", "none"])
@pytest.mark.parametrize("temperature", [0, 1])
def test_json_schema_and_reasoning(api: Any, effort: str, temperature: float) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "c", "schema": CITY, "strict": True}}
    answer = chat(
        api, response_format=wanted, reasoning_effort=effort, temperature=temperature, seed=3
    )
    message = answer.choices[0].message
    jsonschema.validate(json.loads(message.content), CITY)
    assert answer.choices[0].finish_reason == "stop"
    assert bool(getattr(message, "reasoning_content", None)) == (effort != "none")


def test_other_grammars(api: Any) -> None:
    def content(**fields: Any) -> str:
        answer = chat(api, reasoning_effort="none", max_tokens=300, **fields)
        return str(answer.choices[0].message.content)

    assert content(extra_body={"structured_outputs": {"choice": ["oui", "non"]}}) in ("oui", "non")
    assert content(extra_body={"structured_outputs": {"regex": "[0-9]{4}"}}).isdigit()
    assert content(extra_body={"structured_outputs": {"grammar": 'root ::= "a" "b"'}}) == "ab"
    text = content(response_format={"type": "json_object"}, temperature=1, seed=1, top_p=0.5)
    assert text.startswith("{")


def test_required_tools(api: Any) -> None:
    fields = {"tools": [WEATHER, CLOCK], "tool_choice": "required", "parallel_tool_calls": False}
    answer = chat(api, **fields)
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    (call,) = choice.message.tool_calls
    assert call.function.name in ("get_weather", "clock")
    assert call.type == "function"
    assert call.id.startswith("call_")
    assert isinstance(json.loads(call.function.arguments), dict)


def test_named_tool_in_a_stream(api: Any) -> None:
    named = {"type": "function", "function": {"name": "get_weather"}}
    fields = {"tools": [WEATHER, CLOCK], "tool_choice": named}
    whole = chat(api, **fields).choices[0].message.tool_calls[0].function
    chunks = list(chat(api, stream=True, **fields))
    deltas = [
        c.delta.tool_calls[0] for chunk in chunks for c in chunk.choices if c.delta.tool_calls
    ]
    assert deltas[0].function.name == "get_weather"
    assert deltas[0].id.startswith("call_")
    assert all(d.id is None and d.function.name is None and d.index == 0 for d in deltas[1:])
    arguments = "".join(d.function.arguments or "" for d in deltas)
    assert arguments == whole.arguments
    jsonschema.validate(json.loads(arguments), WEATHER["function"]["parameters"])
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_a_tool_round_trip_goes_on(api: Any) -> None:
    call = {
        "id": "call_12345678",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Beijing"}'},
    }
    history = [
        *QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_12345678", "content": "sunny"},
    ]
    answer = chat(api, messages=history, tools=[WEATHER], max_tokens=20)
    assert answer.usage.prompt_tokens > 100


def test_completions(api: Any) -> None:
    fields: dict[str, Any] = {"model": "demo", "temperature": 0, "max_tokens": 8}
    whole = api.completions.create(prompt=["Beijing", "Paris"], n=2, logprobs=2, **fields)
    assert whole.object == "text_completion"
    assert [choice.index for choice in whole.choices] == [0, 1, 2, 3]
    assert whole.choices[0].text == whole.choices[1].text
    for choice in whole.choices:
        found = choice.logprobs
        assert len(found.tokens) == len(found.token_logprobs) == len(found.text_offset)
        assert all(len(best) <= 2 for best in found.top_logprobs)
        assert "".join(found.tokens) == choice.text
        assert found.text_offset[0] == 0
    chunks = list(api.completions.create(prompt=["Beijing", "Paris"], n=2, stream=True, **fields))
    texts = ["", "", "", ""]
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.text
    assert texts == [choice.text for choice in whole.choices]
    echoed = api.completions.create(prompt="Beijing", echo=True, **fields)
    assert echoed.choices[0].text == "Beijing" + whole.choices[0].text


def test_completions_of_token_ids(api: Any, client: httpx2.Client) -> None:
    ids = client.post("/tokenize", json={"content": "Beijing", "add_special": True}).json()
    fields: dict[str, Any] = {"model": "demo", "temperature": 0, "max_tokens": 8}
    by_text = api.completions.create(prompt="Beijing", **fields)
    by_ids = api.completions.create(prompt=ids["tokens"], **fields)
    assert by_ids.choices[0].text == by_text.choices[0].text
    assert by_ids.usage.prompt_tokens == len(ids["tokens"])


def test_embeddings(api: Any) -> None:
    found = api.embeddings.create(model="demo", input=["Beijing", "Paris is big"])
    vectors = np.array([item.embedding for item in found.data])
    assert [item.index for item in found.data] == [0, 1]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert found.usage.prompt_tokens == found.usage.total_tokens > 0
    raw = api.embeddings.create(model="demo", input="Beijing", encoding_format="base64")
    bytes_ = base64.b64decode(raw.data[0].embedding)
    np.testing.assert_array_equal(np.frombuffer(bytes_, "<f4"), vectors[0].astype("<f4"))
    short = api.embeddings.create(model="demo", input="Beijing", dimensions=8)
    assert len(short.data[0].embedding) == 8


def test_models(api: Any) -> None:
    assert "demo" in [model.id for model in api.models.list()]
    assert api.models.retrieve("demo").object == "model"
    assert api.models.retrieve("demo").owned_by == "pyinfer"
    with pytest.raises(openai.NotFoundError) as caught:
        api.models.retrieve("nobody/knows")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("fields", "status", "code", "text"),
    [
        ({"model": "nope"}, 404, "model_not_found", "nope"),
        ({"temperature": 3}, 400, "invalid_request", "temperature"),
        ({"messages": [{"role": "king", "content": ""}]}, 400, "invalid_request", "role"),
        ({"max_tokens": "many"}, 400, "invalid_request", "max_tokens"),
        ({"extra_body": {"num_ctx": 9}}, 400, "context_length_exceeded", "9"),
        (
            {"response_format": {"type": "json_schema",
                                 "json_schema": {"name": "x", "schema": {"not": {}}}}},
            400, "invalid_request", "not",
        ),
        ({"tools": [{"type": "function"}]}, 400, "invalid_request", "tools[0]"),
        ({"tool_choice": "required"}, 400, "invalid_request", "tool_choice"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_errors(
    api: Any, fields: dict[str, Any], status: int, code: str, text: str, stream: bool
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        chat(api, stream=stream, **fields)
    assert caught.value.status_code == status
    body = caught.value.body
    assert body.keys() >= {"message", "type", "param", "code"}
    assert body["code"] == code
    assert text in body["message"]


def test_too_long_says_both_numbers(api: Any) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chat(api, messages=[{"role": "user", "content": "big " * 100}], extra_body={"num_ctx": 50})
    assert "50" in caught.value.message
    prompt = [int(word) for word in caught.value.message.split() if word.isdigit()]
    assert max(prompt) > 100
