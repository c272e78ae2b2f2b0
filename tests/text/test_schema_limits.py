"""Every bound at its limit and one past it; the message names the place."""

from __future__ import annotations

from typing import Any

import pytest

from pyinfer.text.schema_limits import (
    MAX_BRANCHES,
    MAX_COUNT,
    MAX_DIGITS,
    MAX_ENUM,
    MAX_MULTIPLE,
    MAX_PROPERTIES,
    MAX_REFERENCES,
    MAX_REPEAT,
    MAX_SCHEMAS,
    SchemaError,
    check_repeats,
    check_schema,
)

COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def refusal(schema: Any) -> str:
    with pytest.raises(SchemaError) as caught:
        check_schema(schema)
    return str(caught.value)


def chain(length: int) -> dict[str, Any]:
    names = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(length - 1)}
    return {"$ref": "#/$defs/d0", "$defs": {**names, f"d{length - 1}": {"type": "null"}}}


LIMITS: list[tuple[str, Any, Any]] = [
    ("multipleOf", {"multipleOf": MAX_MULTIPLE}, {"multipleOf": MAX_MULTIPLE + 1}),
    ("multipleOf", {"multipleOf": MAX_MULTIPLE / 100}, {"multipleOf": (MAX_MULTIPLE + 1) / 100}),
    *((key, {key: MAX_COUNT}, {key: MAX_COUNT + 1}) for key in COUNTS),
    *((key, {key: 10**MAX_DIGITS - 1}, {key: 10**MAX_DIGITS}) for key in NUMBERS),
    *((key, {key: 10.0**-MAX_DIGITS}, {key: -(10.0 ** -(MAX_DIGITS + 1))}) for key in NUMBERS),
    (
        "properties",
        {"properties": {str(n): {} for n in range(MAX_PROPERTIES)}},
        {"properties": {str(n): {} for n in range(MAX_PROPERTIES + 1)}},
    ),
    ("enum", {"enum": [0] * MAX_ENUM}, {"enum": [0] * (MAX_ENUM + 1)}),
    *(
        (key, {key: [{}] * MAX_BRANCHES}, {key: [{}] * (MAX_BRANCHES + 1)})
        for key in ("anyOf", "oneOf", "allOf", "prefixItems")
    ),
    (
        "pattern",
        {"pattern": f"^a{{2,{MAX_REPEAT}}}$"},
        {"pattern": f"^a{{2,{MAX_REPEAT + 1}}}$"},
    ),
    (
        "patternProperties",
        {"patternProperties": {f"a{{{MAX_REPEAT}}}": {}}},
        {"patternProperties": {f"a{{{MAX_REPEAT + 1}}}": {}}},
    ),
    ("$ref", chain(MAX_REFERENCES), chain(MAX_REFERENCES + 1)),
]


@pytest.mark.parametrize(("key", "fits", "over"), LIMITS, ids=lambda value: str(value)[:24])
def test_limits(key: str, fits: Any, over: Any) -> None:
    check_schema(fits)
    assert key in refusal(over)


def test_numbers_that_a_double_holds_are_taken() -> None:
    check_schema(
        {"enum": [1 << 53, -(1 << 53), 10**19, 0.1, 12345.678901234, True, None, "1" * 30]}
    )


def test_the_number_of_schemas() -> None:
    def holding(count: int) -> Any:
        rows = [{"prefixItems": [{}] * 99} for _ in range(count // 100)]
        return {"prefixItems": rows}

    check_schema(holding(MAX_SCHEMAS - 100))
    assert "10,000 schemas" in refusal(holding(MAX_SCHEMAS))


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ({"multipleOf": 0}, "larger than 0"),
        ({"multipleOf": -2}, "larger than 0"),
        ({"multipleOf": "2"}, "must be a number"),
        ({"multipleOf": True}, "must be a number"),
        ({"multipleOf": float("inf")}, "finite"),
        ({"minimum": float("nan")}, "finite"),
        ({"minimum": "x"}, "must be a number"),
        ({"maximum": 1e300}, "digits"),
        ({"maximum": 1e-300}, "digits"),
        ({"const": 9007199254740993}, "rounded"),
        ({"enum": ["a", {"id": [1234567890123456789]}]}, "enum: a number"),
        ({"const": 123456789.12345679}, "rounded"),
        ({"minLength": -1}, "not negative"),
        ({"minLength": 1.5}, "integer"),
        ({"maxItems": "3"}, "integer"),
        ({"maxItems": True}, "integer"),
        ({"pattern": "a{99999999999999999999}"}, "repetition"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "leads back to itself"),
    ],
)
def test_values_that_cannot_be_meant(schema: Any, what: str) -> None:
    assert what in refusal(schema)


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"properties": {"a": {"items": {"multipleOf": 0}}}}, "properties.a.items.multipleOf: "),
        ({"anyOf": [{}, {"minLength": -1}]}, "anyOf[1].minLength: "),
        ({"prefixItems": [{"enum": [0] * 10_001}]}, "prefixItems[0].enum: "),
        ({"$defs": {"x": {"not": {"maximum": "a"}}}}, "$defs.x.not.maximum: "),
        ({"patternProperties": {"^a": {"if": {"minItems": -1}}}}, "patternProperties.^a.if.min"),
        ({"additionalProperties": {"contains": {"maxLength": -1}}}, "additionalProperties.contai"),
        ({"properties": {"p" * 200: {"minimum": "a"}}}, "properties." + "p" * 61 + "....minimum: "),
    ],
)
def test_messages_name_the_place(schema: Any, path: str) -> None:
    assert refusal(schema).startswith(path)


def test_long_paths_keep_their_end() -> None:
    schema: dict[str, Any] = {"minimum": "a"}
    for _ in range(60):
        schema = {"properties": {"p" * 60: schema}}
    assert len(refusal(schema)) < 340
    assert refusal(schema).startswith("...")
    assert refusal(schema).endswith(".minimum: it must be a number")


def test_a_path_can_be_given() -> None:
    with pytest.raises(SchemaError, match=r"^lookup\.parameters\.properties\.n\.multipleOf: "):
        check_schema({"properties": {"n": {"multipleOf": 0}}}, "lookup.parameters")


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {"enum": [{"multipleOf": 0}], "const": {"minLength": -1}, "default": {"maximum": "a"}},
        {"properties": {"multipleOf": {"type": "string"}, "minLength": {"type": "null"}}},
        {"exclusiveMinimum": True, "minimum": 3},  # as in draft 4
        {"properties": 3, "anyOf": {}, "items": True, "pattern": 3},  # for the compiler to refuse
        {"$ref": "#/nowhere"},
        {"$ref": "#/$defs/tree", "$defs": {"tree": {"items": {"$ref": "#/$defs/tree"}}}},
        {"$ref": "#/anyOf/1", "anyOf": [{}, {"type": "null"}]},
        {"pattern": r"\{99999\}"},
        {"multipleOf": 0.01},
        {"multipleOf": 2.5, "minimum": -1.5, "maximum": 1e15},
    ],
)
def test_what_is_no_matter_of_bounds(schema: Any) -> None:
    check_schema(schema)


def test_repetitions_in_grammars() -> None:
    check_repeats(f'start: "a"{{1,{MAX_REPEAT}}} "b"{{,7}}', "")
    with pytest.raises(SchemaError, match=r"^the repetition \{10001\}"):
        check_repeats(f'start: "a"{{{MAX_REPEAT + 1}}}', "")
