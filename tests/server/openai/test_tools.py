"""Tools and choices of every kind as the functions that the service knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyinfer.errors import RequestError
from pyinfer.server.openai.tools import (
    as_function_calls,
    as_functions,
    custom_names,
    input_of,
    read_choice,
)


def function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def custom(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "custom", "custom": {"name": name, **fields}}


TOOLS = [function("a"), function("b"), custom("c", description="writes")]


@pytest.mark.parametrize(
    ("choice", "word", "names"),
    [
        (None, "auto", "abc"),
        ("none", "none", "abc"),
        ("required", "required", "abc"),
        ("any", "required", "abc"),
        ({"type": "auto"}, "auto", "abc"),
        ({"type": "any"}, "required", "abc"),
        ({"type": "none"}, "none", "abc"),
        (function("b"), "function:b", "abc"),
        ({"type": "function", "name": "b"}, "function:b", "abc"),
        (custom("c"), "function:c", "abc"),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required",
             "tools": [function("a"), custom("c")]}},
            "required",
            "ac",
        ),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "b"}]},
            "auto",
            "b",
        ),
    ],
)  # fmt: skip
def test_choices(choice: Any, word: str, names: str) -> None:
    read = read_choice(choice)
    assert read.word == word
    allowed = as_functions(read.allowed(TOOLS))
    assert allowed is not None
    assert "".join(tool["function"]["name"] for tool in allowed) == names


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        ("always", "tool_choice"),
        ({"type": "function"}, "tool_choice"),
        ({"type": "web_search", "web_search": {"name": "a"}}, "tool_choice"),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "none", "tools": [function("a")]}},
            "tool_choice.allowed_tools.mode",
        ),
        ({"type": "allowed_tools", "allowed_tools": 3}, "tool_choice.allowed_tools.mode"),
        (
            {"type": "allowed_tools", "allowed_tools": {"tools": []}},
            "tool_choice.allowed_tools.tools",
        ),
        ({"type": "allowed_tools", "tools": [function("nobody")]}, "tool_choice"),
    ],
)
def test_refused_choices(choice: Any, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_choice(choice).allowed(TOOLS)
    assert caught.value.param == param


def test_a_custom_tool_is_a_function_of_one_text() -> None:
    (tool,) = as_functions([custom("c", description="writes")]) or []
    assert tool["type"] == "function"
    assert tool["function"]["description"] == "writes"
    schema = tool["function"]["parameters"]
    assert schema["properties"] == {"input": {"type": "string"}}
    assert schema["required"] == ["input"]
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a|b"}}
    (tool,) = as_functions([custom("c", format=grammar)]) or []
    assert tool["function"]["parameters"]["properties"]["input"]["pattern"] == "^(?:a|b)$"
    assert custom_names(TOOLS) == {"c"}


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ({"type": "custom"}, "tools[0].custom"),
        (custom("c", format={"type": "xml"}), "tools[0].custom.format"),
        (custom("c", format=3), "tools[0].custom.format"),
        (custom("c", format={"type": "grammar"}), "tools[0].custom.format.grammar"),
        (
            custom("c", format={"type": "grammar", "grammar": {"syntax": "lark",
                                                               "definition": "start: x"}}),
            "tools[0].custom.format.grammar.syntax",
        ),
    ],
)  # fmt: skip
def test_refused_custom_tools(tool: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        as_functions([tool])
    assert caught.value.param == param


def test_earlier_calls_go_back_as_functions() -> None:
    call = {"id": "1", "type": "custom", "custom": {"name": "c", "input": 'say "hé"'}}
    other = {"id": "2", "type": "function", "function": {"name": "a", "arguments": "{}"}}
    given = [{"role": "user", "content": "?"}, {"role": "assistant", "tool_calls": [call, other]}]
    user, answer = as_function_calls(given)
    assert user == given[0]
    first, second = answer["tool_calls"]
    assert second == other
    assert (first["id"], first["type"]) == ("1", "function")
    assert json.loads(first["function"]["arguments"]) == {"input": 'say "hé"'}
    assert input_of(first["function"]["arguments"]) == 'say "hé"'


@pytest.mark.parametrize("text", ["{", "[1]", '{"output": "x"}', '{"input": 3}', ""])
def test_what_is_no_such_call_is_passed_on(text: str) -> None:
    assert input_of(text) == text
