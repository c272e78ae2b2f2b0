"""Which grammar a request asks for, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyinfer.errors import RequestError
from pyinfer.server.openai.chat_schema import ChatBody
from pyinfer.server.openai.completion_schema import CompletionBody
from pyinfer.server.openai.output_format import wanted_grammar
from pyinfer.text.grammar import Grammar

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def grammar_of(**fields: Any) -> Grammar | None:
    chat = wanted_grammar(ChatBody(messages=[{}], **fields))
    assert wanted_grammar(CompletionBody(prompt="a", **fields)) == chat
    return chat


@pytest.mark.parametrize(
    ("response_format", "structured", "expected"),
    [
        (None, None, None),
        ({"type": "text"}, None, None),
        ({"type": "json_object"}, None, ("json_object", "")),
        ({"type": "json_object", "schema": SCHEMA}, None, ("json_schema", json.dumps(SCHEMA))),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}},
            None,
            ("json_schema", json.dumps(SCHEMA)),
        ),
        ({"type": "json_schema", "schema": SCHEMA}, None, ("json_schema", json.dumps(SCHEMA))),
        (None, {"json": SCHEMA}, ("json_schema", json.dumps(SCHEMA))),
        (None, {"json": json.dumps(SCHEMA)}, ("json_schema", json.dumps(SCHEMA))),
        (None, {"regex": "a+", "json": None}, ("regex", "a+")),
        (None, {"choice": ["ja", "né"]}, ("choice", '["ja", "né"]')),
        (None, {"grammar": 'root ::= "a"'}, ("gbnf", 'root ::= "a"')),
        (None, {"grammar": 'start: "a"'}, ("lark", 'start: "a"')),
        (None, {"json_object": True}, ("json_object", "")),
        (None, {"json_object": False}, None),
        (
            None,
            {"regex": "a", "disable_fallback": True, "whitespace_pattern": None},
            ("regex", "a"),
        ),
        (None, {"regex": "a", "disable_any_whitespace": False}, ("regex", "a")),
        (None, {"disable_fallback": True}, None),
        ({"type": "text"}, {"regex": "a"}, ("regex", "a")),
    ],
)
def test_grammar(
    response_format: dict[str, Any] | None,
    structured: dict[str, Any] | None,
    expected: tuple[str, str] | None,
) -> None:
    grammar = grammar_of(response_format=response_format, structured_outputs=structured)
    assert (None if grammar is None else (grammar.kind, grammar.source)) == expected


@pytest.mark.parametrize(
    ("response_format", "structured", "param"),
    [
        ({"type": "xml"}, None, "response_format.type"),
        ({"schema": {}}, None, "response_format.type"),
        ({"type": "json_schema"}, None, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {}}, None, "response_format.json_schema.schema"),
        (
            {"type": "json_schema", "json_schema": {"schema": 5}},
            None,
            "response_format.json_schema.schema",
        ),
        ({"type": "json_object"}, {"regex": "a"}, "structured_outputs"),
        (None, {"regex": "a", "choice": ["a"]}, "structured_outputs"),
        (None, {"structural_tag": "a"}, "structured_outputs.structural_tag"),
        (
            None,
            {"regex": "a", "disable_any_whitespace": True},
            "structured_outputs.disable_any_whitespace",
        ),
        (None, {"regex": "a", "whitespace_pattern": "x"}, "structured_outputs.whitespace_pattern"),
        (None, {"regex": 5}, "structured_outputs.regex"),
        (None, {"choice": "ab"}, "structured_outputs.choice"),
        (None, {"grammar": ""}, "structured_outputs.grammar"),
        (None, {"json": [1]}, "structured_outputs.json"),
        (None, {"json_object": 1}, "structured_outputs.json_object"),
    ],
)
def test_refused(
    response_format: dict[str, Any] | None, structured: dict[str, Any] | None, param: str
) -> None:
    with pytest.raises(RequestError) as caught:
        grammar_of(response_format=response_format, structured_outputs=structured)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("guided_json", SCHEMA, ("json_schema", json.dumps(SCHEMA))),
        ("guided_json", json.dumps(SCHEMA), ("json_schema", json.dumps(SCHEMA))),
        ("json_schema", SCHEMA, ("json_schema", json.dumps(SCHEMA))),
        ("guided_regex", "a+", ("regex", "a+")),
        ("regex", "a+", ("regex", "a+")),
        ("guided_choice", ["ja", "né"], ("choice", '["ja", "né"]')),
        ("guided_grammar", 'start: "a"', ("lark", 'start: "a"')),
        ("ebnf", 'root ::= "a"', ("gbnf", 'root ::= "a"')),
        ("grammar", 'root ::= "a"', ("gbnf", 'root ::= "a"')),
        ("regex", "", None),
    ],
)
def test_older_spellings(name: str, value: Any, expected: tuple[str, str] | None) -> None:
    grammar = grammar_of(**{name: value})
    assert (None if grammar is None else (grammar.kind, grammar.source)) == expected
    if grammar is not None:
        assert grammar.param == name
        with pytest.raises(RequestError) as caught:
            grammar_of(**{name: value, "response_format": {"type": "json_object"}})
        assert caught.value.param == name
