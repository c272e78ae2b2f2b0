"""Which grammar a request asks for, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyinfer.errors import RequestError
from pyinfer.server.openai.output_format import wanted_grammar

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


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
        (None, {"json": SCHEMA}, ("json_schema", json.dumps(SCHEMA))),
        (None, {"json": json.dumps(SCHEMA)}, ("json_schema", json.dumps(SCHEMA))),
        (None, {"regex": "a+", "json": None}, ("regex", "a+")),
        (None, {"choice": ["ja", "né"]}, ("choice", '["ja", "né"]')),
        (None, {"grammar": 'root ::= "a"'}, ("gbnf", 'root ::= "a"')),
        (None, {"grammar": 'start: "a"'}, ("lark", 'start: "a"')),
        (None, {"json_object": True}, ("json_object", "")),
        (None, {"json_object": False}, None),
        ({"type": "text"}, {"regex": "a"}, ("regex", "a")),
    ],
)
def test_grammar(
    response_format: dict[str, Any] | None,
    structured: dict[str, Any] | None,
    expected: tuple[str, str] | None,
) -> None:
    grammar = wanted_grammar(response_format, structured)
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
        wanted_grammar(response_format, structured)
    assert caught.value.param == param
