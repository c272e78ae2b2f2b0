"""Objects that list their properties have no others. What a schema takes says ``jsonschema``."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from pyinfer.errors import RequestError
from pyinfer.text import closed_schema
from pyinfer.text.closed_schema import closed
from pyinfer.text.grammar import schema_grammar
from pyinfer.text.grammar_matcher import GrammarCompiler
from pyinfer.text.grammar_vocabulary import Vocabulary

pytest.importorskip("llguidance", reason="grammars need the extra [server]")

INTEGER = {"type": "integer"}
BASE = {"type": "object", "properties": {"id": INTEGER}, "required": ["id"]}
NODE = {
    "type": "object",
    "properties": {"v": INTEGER, "c": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
    "required": ["v"],
}


def one(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: INTEGER}, "required": [name]}


# Schema, what it takes, and what only the open schema takes.
CASES: dict[str, tuple[dict[str, Any], list[Any], list[Any]]] = {
    "plain": (one("a"), [{"a": 1}], [{"a": 1, "b": 2}]),
    "no type": (
        {"properties": {"a": INTEGER}, "required": ["a"]},
        [{"a": 1}],
        [{"a": 1, "b": 2}, 3, "x"],
    ),
    "nothing listed": ({"type": "object", "properties": {}}, [{}], [{"a": 1}]),
    "no list": ({"type": "object"}, [{}, {"a": {"b": 1}}], []),
    "only required": ({"type": "object", "required": ["a"]}, [{"a": 1, "b": 2}], []),
    "required but not listed": (
        {"type": "object", "properties": {"a": INTEGER}, "required": ["a", "b"]},
        [{"a": 1, "b": [2]}],
        [{"a": 1, "b": 2, "c": 3}],
    ),
    "items": (
        {"type": "array", "items": one("a")},
        [[], [{"a": 1}, {"a": 2}]],
        [[{"a": 1, "b": 2}]],
    ),
    "items without type": ({"items": one("a")}, [[{"a": 1}]], [{"b": 2}, 5]),
    "tuple": (
        {"type": "array", "prefixItems": [one("a"), INTEGER], "items": False, "minItems": 2},
        [[{"a": 1}, 2]],
        [[{"a": 1, "b": 2}, 2]],
    ),
    "nested": (
        {"type": "object", "properties": {"o": one("a")}},
        [{}, {"o": {"a": 1}}],
        [{"o": {"a": 1, "b": 2}}],
    ),
    "values of a map": (
        {"type": "object", "additionalProperties": one("a")},
        [{"x": {"a": 1}}],
        [{"x": {"a": 1, "b": 2}}],
    ),
    "opened": (
        {"type": "object", "properties": {"o": one("a")}, "additionalProperties": True},
        [{"o": {"a": 1}, "z": [1]}],
        [{"o": {"a": 1, "b": 2}}],
    ),
    "opened by a pattern": (
        {"type": "object", "properties": {"a": INTEGER}, "patternProperties": {"^x": INTEGER}},
        [{"a": 1, "x1": 2}],
        [],
    ),
    "unevaluated": (
        {"allOf": [one("a"), one("b")], "unevaluatedProperties": False},
        [{"a": 1, "b": 2}],
        [],
    ),
    "definitions": (
        {"$ref": "#/$defs/A", "$defs": {"A": one("a")}},
        [{"a": 1}],
        [{"a": 1, "b": 2}],
    ),
    "older definitions": (
        {
            "type": "object",
            "properties": {"x": {"$ref": "#/definitions/A"}},
            "definitions": {"A": one("a")},
        },
        [{"x": {"a": 1}}],
        [{"x": {"a": 1, "b": 2}}],
    ),
    "reference to a property": (
        {"type": "object", "properties": {"a": one("z"), "b": {"$ref": "#/properties/a"}}},
        [{"b": {"z": 1}}],
        [{"b": {"z": 1, "y": 2}}],
    ),
    "reference elsewhere, escaped": (
        {"$ref": "#/components/a~1b%20c", "components": {"a/b c": one("a")}},
        [{"a": 1}],
        [{"a": 1, "b": 2}],
    ),
    "tree": (
        {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}},
        [{"v": 1, "c": [{"v": 2, "c": []}]}],
        [{"v": 1, "c": [{"v": 2, "x": 3}]}],
    ),
    "itself": (
        {"type": "object", "properties": {"next": {"$ref": "#"}}},
        [{"next": {"next": {}}}],
        [{"next": {"x": 1}}],
    ),
    "union": (
        {"anyOf": [one("a"), one("b"), {"type": "null"}]},
        [{"a": 1}, {"b": 1}, None],
        [{"a": 1, "b": 1}],
    ),
    "discriminated union": (
        {
            "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
            "discriminator": {"propertyName": "kind"},
            "$defs": {
                "Cat": {
                    "type": "object",
                    "properties": {"kind": {"const": "cat", "type": "string"}, "lives": INTEGER},
                    "required": ["kind", "lives"],
                },
                "Dog": {
                    "type": "object",
                    "properties": {"kind": {"const": "dog", "type": "string"}},
                    "required": ["kind"],
                },
            },
        },
        [{"kind": "cat", "lives": 9}, {"kind": "dog"}],
        [{"kind": "dog", "lives": 9}],
    ),
    "inheritance": (
        {
            "allOf": [
                {"$ref": "#/$defs/Base"},
                {"properties": {"n": INTEGER, "o": {"$ref": "#/$defs/Base"}}, "required": ["n"]},
            ],
            "$defs": {"Base": BASE},
        },
        [{"id": 1, "n": 2}, {"id": 1, "n": 2, "o": {"id": 3}}],
        [{"id": 1, "n": 2, "x": 3}, {"id": 1, "n": 2, "o": {"id": 3, "n": 4}}],
    ),
    "reference with properties beside it": (
        {"$ref": "#/$defs/Base", "properties": {"n": INTEGER}, "$defs": {"Base": BASE}},
        [{"id": 1}, {"id": 1, "n": 2}],
        [{"id": 1, "x": 2}],
    ),
    "union beside properties": (
        {"type": "object", "properties": {"k": INTEGER}, "anyOf": [one("a"), one("b")]},
        [{"k": 1, "a": 2}, {"b": 2}],
        [{"k": 1, "a": 2, "b": 3}, {"a": 1, "z": 2}],
    ),
    "one of the required": (
        {
            "type": "object",
            "properties": {"a": INTEGER, "b": INTEGER},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        [{"a": 1}, {"b": 1}, {"a": 1, "b": 1}],
        [{"a": 1, "c": 1}],
    ),
    "intersection with a union": (
        {"allOf": [one("k"), {"anyOf": [one("a"), one("b")]}]},
        [{"k": 1, "a": 2}, {"k": 1, "b": 2}],
        [{"k": 1, "a": 2, "b": 3}, {"k": 1, "a": 2, "z": 3}],
    ),
    "two unions": (
        {"properties": {"k": INTEGER}, "anyOf": [one("a"), one("b")], "oneOf": [one("c")]},
        [{"a": 1, "c": 2}],
        [{"a": 1, "c": 2, "z": 3}],
    ),
    "branch that opens itself": (
        {"anyOf": [one("a"), {**one("b"), "additionalProperties": INTEGER}]},
        [{"a": 1}, {"b": 1, "z": 2}],
        [{"a": 1, "y": "x"}],
    ),
    # As zod writes records, and pydantic fields of money.
    "record": (
        {
            "type": "object",
            "propertyNames": {"type": "string"},
            "additionalProperties": INTEGER,
        },
        [{}, {"a": 1}],
        [],
    ),
    "record of an enumeration": (
        {
            "type": "object",
            "propertyNames": {"type": "string", "enum": ["x", "y"]},
            "additionalProperties": INTEGER,
            "required": ["x", "y"],
        },
        [{"x": 1, "y": 2}],
        [],
    ),
    "record by pattern": (
        {"type": "object", "propertyNames": {"pattern": "^a"}, "additionalProperties": INTEGER},
        [{"ab": 1}],
        [],
    ),
    "money": (
        {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^(?!x)[0-9]+$"}]},
        [1.5],
        ["7"],
    ),
    "moment": (
        {"type": "string", "format": "date-time"},
        ["2024-02-29T23:59:59.123456Z", "2024-02-28T00:00:00+02:00"],
        ["2023-02-29T00:00:00Z", "2024-12-31T23:59:60Z", "2024-01-01T00:00:00.1234567Z"],
    ),
    "day": ({"type": "string", "format": "date"}, ["2024-02-29"], ["2023-02-29", "0000-01-01"]),
    "time": ({"type": "string", "format": "time"}, ["23:59:59Z"], ["23:59:60Z"]),
    "duration": ({"type": "string", "format": "duration"}, ["P1DT2H", "P3W"], ["P99999Y"]),
    "nullable": (
        {"type": "object", "properties": {"a": {"type": "integer", "nullable": True}}},
        [{"a": 1}],
        [],
    ),
    "password": ({"type": "string", "format": "password"}, ["x"], []),
    "format and pattern": (
        {"type": "string", "format": "nanoid", "pattern": "^[a-z]{2}$"},
        ["ab"],
        [],
    ),
    "address": (
        {"type": "string", "format": "email", "pattern": r"^(?!\.)(?!.*\.\.)[^@ ]+@[a-z.]+$"},
        ["a.b@c.de"],
        [],
    ),
}


@pytest.fixture(scope="module")
def compiler() -> GrammarCompiler:
    return GrammarCompiler(Vocabulary.of_bytes())


def takes(compiler: GrammarCompiler, schema: dict[str, Any], value: Any) -> bool:
    matcher = compiler.matcher(schema_grammar(schema))
    for byte in json.dumps(value, separators=(",", ":")).encode():
        try:
            matcher.accept(byte)
        except Exception:
            return False
    return matcher.complete


@pytest.mark.parametrize("name", CASES)
def test_what_is_listed_may_come_and_nothing_else(compiler: GrammarCompiler, name: str) -> None:
    schema, right, invented = CASES[name]
    before = json.dumps(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for value in right:
        validator.validate(value)
        assert takes(compiler, schema, value), value
    for value in invented:
        validator.validate(value)  # by the letter
        assert not takes(compiler, schema, value), value
    assert json.dumps(schema) == before


def test_nullable_of_openapi(compiler: GrammarCompiler) -> None:
    """No validator of JSON Schema knows the word, so it is tried by itself."""
    assert takes(compiler, CASES["nullable"][0], {"a": None})
    assert takes(compiler, {"type": "string", "enum": ["x"], "nullable": True}, None)
    assert not takes(compiler, {"type": "string", "enum": ["x"], "nullable": False}, None)


def test_wrong_values_are_wrong_still(compiler: GrammarCompiler) -> None:
    records = {"type": "object", "propertyNames": {"enum": ["x"]}, "additionalProperties": INTEGER}
    assert not takes(compiler, records, {"y": 1})
    assert not takes(compiler, records, {"x": "1"})
    assert not takes(compiler, CASES["address"][0], "a..b@c.de")
    assert not takes(compiler, CASES["unevaluated"][0], {"a": 1, "b": 2, "c": 3})


def test_definitions_are_not_doubled() -> None:
    schema = {"$defs": {"A": one("a")}, "type": "array", "items": {"$ref": "#/$defs/A"}}
    assert len(closed(schema)["$defs"]) == 1
    # What the library is left to find stays where it is.
    foreign = {"$defs": {"A": {"$anchor": "x", **one("a")}}, "$ref": "#x"}
    assert closed(foreign)["$defs"] == foreign["$defs"]


def test_parts_that_refer_to_each_other_without_end() -> None:
    """Each definition asks for two forms of the next: their number doubles."""
    defs: dict[str, Any] = {}
    for level in range(40):
        branches = [
            {"$ref": f"#/$defs/{level + 1}", "properties": {f"{side}{level}": True}}
            for side in "ab"
        ]
        defs[str(level)] = {"anyOf": branches}
    defs["40"] = one("a")
    with pytest.raises(RequestError, match="too complex"):
        closed({"$ref": "#/$defs/0", "$defs": defs})


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"type": "object", "properties": {str(n): one("a") for n in range(50)}}
    assert closed(schema)
    monkeypatch.setattr(closed_schema, "MAX_STEPS", 50)
    with pytest.raises(RequestError, match="too complex"):
        closed(schema)


def test_odd_schemas_are_left_to_the_library() -> None:
    for odd in (
        {"properties": 3, "required": "a", "allOf": {}, "anyOf": 5, "$defs": []},
        {"$ref": 7},
        {"$ref": "#/a/" + "9" * 5000, "a": [1]},
        {"$ref": "#/a/0", "a": [{"type": "integer"}]},
        {"allOf": [True, 3]},
        {"format": 3, "pattern": 4, "propertyNames": 5, "minProperties": "x"},
    ):
        assert isinstance(closed(odd), dict)
