"""From the body of a chat request to what the service is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyinfer.errors import RequestError
from pyinfer.requests.spec import GenerateSpec
from pyinfer.server.http.body import parse_body
from pyinfer.server.openai.chat_schema import ChatBody, chat_spec
from pyinfer.server.openai.completion_schema import CompletionBody, completion_specs

QUESTION = [{"role": "user", "content": "?"}]


def spec_of(**fields: Any) -> GenerateSpec:
    return chat_spec(ChatBody.model_validate({"messages": QUESTION, **fields}), "r1")


def test_nothing_given_leaves_all_to_the_model() -> None:
    spec = spec_of()
    assert spec.messages == QUESTION
    assert spec.params.temperature is None
    assert spec.params.max_tokens is None
    assert spec.fallback == {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
    assert (spec.n, spec.tool_choice, spec.think, spec.grammar) == (1, "auto", None, None)
    assert not spec.truncate
    assert spec.split_reasoning
    assert spec.request_id == "r1"


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"max_tokens": 5}, "max_tokens", 5),
        ({"max_tokens": 5, "max_completion_tokens": 7}, "max_tokens", 7),
        ({"max_tokens": -1}, "max_tokens", 1 << 31),
        ({"max_tokens": 5, "max_completion_tokens": -1}, "max_tokens", 1 << 31),
        ({"n_predict": -2}, "max_tokens", 1 << 31),
        ({"temperature": 0}, "temperature", 0.0),
        ({"repeat_penalty": 1.5}, "repetition_penalty", 1.5),
        ({"stop": ["a", "b", "c", "d", "e", "f"]}, "stop", ("a", "b", "c", "d", "e", "f")),
        ({"top_k": 3}, "top_k", 3),
        ({"min_p": 0.5}, "min_p", 0.5),
        ({"repetition_penalty": 1.5}, "repetition_penalty", 1.5),
        ({"min_tokens": 2}, "min_tokens", 2),
        ({"ignore_eos": True}, "ignore_eos", True),
        ({"stop_token_ids": [4, 5]}, "stop_token_ids", (4, 5)),
        ({"logit_bias": {"7": -100}}, "logit_bias", {7: -100.0}),
        ({"stop": "x"}, "stop", ("x",)),
        ({"stop": ["x", "y"]}, "stop", ("x", "y")),
        ({"logprobs": True}, "logprobs", 0),
        ({"logprobs": True, "top_logprobs": 20}, "logprobs", 20),
        ({"logprobs": False}, "logprobs", None),
        ({"samplers": ["temperature", "top_p"]}, "samplers", ("temperature", "top_p")),
    ],
)
def test_sampling(fields: dict[str, Any], name: str, value: object) -> None:
    assert getattr(spec_of(**fields).params, name) == value


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"n": 3}, "n", 3),
        ({"num_ctx": 99}, "context", 99),
        ({"reasoning_effort": "none"}, "think", False),
        ({"reasoning_effort": "high"}, "think", None),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "think", False),
        ({"chat_template_kwargs": {"thinking": True}}, "think", True),
        ({"chat_template_kwargs": {"other": True}}, "template_variables", {"other": True}),
        ({"enable_thinking": False}, "think", False),
        ({"enable_thinking": True}, "think", True),
        ({"think": False}, "think", False),
        ({"think": "none"}, "think", False),
        ({"think": "high"}, "think", None),
        ({"thinking": False}, "think", False),
        ({"thinking": {"type": "disabled"}}, "think", False),
        ({"thinking": {"type": "enabled", "budget_tokens": 64}}, "reasoning_budget", 64),
        ({"reasoning": {"effort": "none"}}, "think", False),
        ({"reasoning": {"enabled": False}}, "think", False),
        ({"reasoning": {"effort": "low", "max_tokens": 7}}, "reasoning_budget", 7),
        ({"reasoning": False}, "think", False),
        ({"reasoning_effort": "none", "enable_thinking": True}, "think", False),
        ({"thinking_budget": 0}, "think", False),
        ({"reasoning_budget": 5}, "reasoning_budget", 5),
        ({"thinking_budget_tokens": 5}, "reasoning_budget", 5),
        ({"separate_reasoning": False}, "split_reasoning", False),
        ({"thinking_token_budget": 0}, "think", False),
        ({"thinking_token_budget": 9}, "reasoning_budget", 9),
        ({"thinking_token_budget": -1}, "reasoning_budget", None),
        ({"reasoning_format": "none"}, "split_reasoning", False),
        ({"tool_choice": "none"}, "tool_choice", "none"),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            "tool_choice",
            "function:f",
        ),
        ({"parallel_tool_calls": False}, "parallel_tool_calls", False),
        ({"continue_final_message": True}, "continue_final_message", True),
        ({"continue_final_message": False}, "continue_final_message", False),
        ({}, "continue_final_message", None),
        ({"add_generation_prompt": True}, "continue_final_message", False),
        (
            {"add_generation_prompt": False, "continue_final_message": True},
            "continue_final_message",
            True,
        ),
        ({"add_generation_prompt": False}, "add_generation_prompt", False),
        ({"cache_prompt": False}, "reuse_prefix", False),
        ({"stream": True}, "stream", True),
        ({"priority": 3, "user": "me"}, "n", 1),
    ],
)
def test_other_fields(fields: dict[str, Any], name: str, value: object) -> None:
    assert getattr(spec_of(**fields), name) == value


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"chat_template": "{{ 1 }}"}, "chat_template"),
        ({"chat_template_kwargs": {"chat_template": "x"}}, "chat_template_kwargs.chat_template"),
        ({"chat_template_kwargs": {"enable_thinking": 1}}, "chat_template_kwargs.enable_thinking"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice"),
        ({"tool_choice": {"type": []}}, "tool_choice"),
        ({"tool_choice": {"type": {}}}, "tool_choice"),
        ({"logit_bias": {"a": 1}}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stop": ["a"] * 17}, "stop"),
        (
            {"continue_final_message": True, "add_generation_prompt": True},
            "continue_final_message",
        ),
        ({"max_tokens": -3}, "max_tokens"),
        (
            {"chat_template_kwargs": {"reasoning_effort": "low"}},
            "chat_template_kwargs.reasoning_effort",
        ),
        ({"reasoning": {"effort": "some"}}, "reasoning"),
        ({"stop": [""]}, "stop"),
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"thinking_token_budget": -2}, "thinking_token_budget"),
    ],
)
def test_refused(fields: dict[str, Any], param: str) -> None:
    data = json.dumps({"messages": QUESTION, **fields}).encode()
    with pytest.raises(RequestError) as caught:
        chat_spec(parse_body(data, ChatBody), "")
    assert caught.value.param == param


def test_reasoning_can_be_left_out() -> None:
    for fields in (
        {"include_reasoning": False}, {"reasoning_format": "hidden"},
        {"reasoning": {"exclude": True}},
    ):  # fmt: skip
        assert not ChatBody.model_validate({"messages": QUESTION, **fields}).shows_reasoning


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
    ],
)
def test_prompts(prompt: Any, expected: list[Any]) -> None:
    specs = completion_specs(CompletionBody(prompt=prompt), "")
    assert [spec.prompt for spec in specs] == expected
    assert not any(spec.split_reasoning for spec in specs)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"suffix": "x"}, "suffix"),
        ({"best_of": 2}, "best_of"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", ""]}, "prompt"),
        ({"prompt": ["a"] * 65}, "prompt"),
        ({"prompt": ["a"] * 60, "n": 3}, "n"),
    ],
)
def test_refused_completions(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        completion_specs(CompletionBody.model_validate({"prompt": "a", **fields}), "")
    assert caught.value.param == param
