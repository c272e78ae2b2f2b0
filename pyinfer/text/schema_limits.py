"""Bounds on what a JSON schema may ask for, checked before it is compiled.

The size of a compiled schema does not follow from the size of its text: one number (a multiple, a
count) can stand for millions of states. What these bounds let pass is compiled in a process with
limits of time and memory all the same (:mod:`pyinfer.text.grammar_check`): they are there to say
which number is too large.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

#: Of ``multipleOf``, counted in units of its last digit: 2.5 counts as 25.
MAX_MULTIPLE = 10_000
#: Of numbers, before the point and behind it.
MAX_DIGITS = 20
#: The compiler keeps numbers as doubles: more digits come out as other numbers.
MAX_EXACT = 1 << 53
MAX_SIGNIFICANT = 15
#: Of ``minLength``, ``maxItems`` and their like.
MAX_COUNT = (1 << 31) - 1
#: Of ``{m,n}`` in regular expressions.
MAX_REPEAT = 10_000
MAX_PROPERTIES = 1_000
MAX_ENUM = 10_000
MAX_BRANCHES = 1_000
MAX_SCHEMAS = 10_000
MAX_REFERENCES = 32

_COUNTS = (
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
)  # fmt: skip
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems", "items")
_SINGLE = (
    "items", "additionalItems", "additionalProperties", "not", "if", "then", "else", "contains",
    "propertyNames", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_LONGEST_PATH = 300
_REPEAT = re.compile(r"\{\s*(\d*)\s*(?:,\s*(\d*)\s*)?\}")
_ESCAPED = re.compile(r"\\.", re.DOTALL)


class SchemaError(ValueError):
    """A schema is over a bound; the message names the place and the bound."""


def check_schema(schema: Any, path: str = "") -> None:
    """Look at every schema within ``schema``.

    Parameters
    ----------
    schema : dict or bool
    path : str
        Of the schema itself, for messages.

    Raises
    ------
    SchemaError
        It is over a bound.
    """
    pending = [(schema, path)]
    seen = 0
    while pending:
        node, where = pending.pop()
        if not isinstance(node, dict):
            continue  # whether it is a schema at all is for the compiler to say
        seen += 1
        if seen > MAX_SCHEMAS:
            raise SchemaError(f"it has more than {MAX_SCHEMAS:,} schemas")
        _check_node(node, where)
        if "$ref" in node:
            _check_reference(schema, node["$ref"], _join(where, "$ref"))
        pending += _inner(node, where)


def check_repeats(pattern: str, where: str) -> None:
    """Bound the counts ``{m,n}`` of a regular expression or a grammar.

    Raises
    ------
    SchemaError
        One is larger than ``MAX_REPEAT``.
    """
    for found in _REPEAT.finditer(_ESCAPED.sub("", pattern)):
        for digits in found.groups():
            if digits and (len(digits) > 9 or int(digits) > MAX_REPEAT):
                shown = digits if len(digits) <= 12 else digits[:12] + "..."
                raise SchemaError(
                    f"{_at(where)}the repetition {{{shown}}} is over the limit of {MAX_REPEAT:,}"
                )


def _join(path: str, name: str | int) -> str:
    if isinstance(name, int):
        return f"{path}[{name}]"
    shown = name if len(name) <= 64 else name[:61] + "..."
    joined = f"{path}.{shown}" if path else shown
    return joined if len(joined) <= _LONGEST_PATH else "..." + joined[3 - _LONGEST_PATH :]


def _at(where: str) -> str:
    return f"{where}: " if where else ""


def _inner(node: dict[str, Any], where: str) -> Iterator[tuple[Any, str]]:
    for key in _MAPS:
        if isinstance(value := node.get(key), dict):
            here = _join(where, key)
            yield from ((inner, _join(here, str(name))) for name, inner in value.items())
    for key in _LISTS:
        if isinstance(value := node.get(key), list):
            here = _join(where, key)
            yield from ((inner, _join(here, number)) for number, inner in enumerate(value))
    for key in _SINGLE:
        if isinstance(value := node.get(key), dict):
            yield value, _join(where, key)


def _check_node(node: dict[str, Any], where: str) -> None:
    if "multipleOf" in node:
        _check_multiple(node["multipleOf"], _join(where, "multipleOf"))
    for key in _NUMBERS:
        if key in node and not isinstance(node[key], bool):  # a flag in old drafts
            _check_number(node[key], _join(where, key))
    for key in ("const", "enum"):
        _check_exact(node.get(key), _join(where, key))
    for key in _COUNTS:
        if key in node:
            _check_count(node[key], _join(where, key))
    for key, most in (("properties", MAX_PROPERTIES), ("enum", MAX_ENUM)):
        _check_length(node.get(key), most, _join(where, key))
    for key in ("anyOf", "oneOf", "allOf", "prefixItems", "required", "patternProperties"):
        _check_length(node.get(key), MAX_BRANCHES, _join(where, key))
    if isinstance(pattern := node.get("pattern"), str):
        check_repeats(pattern, _join(where, "pattern"))
    patterns = node.get("patternProperties")
    for pattern in patterns if isinstance(patterns, dict) else ():
        check_repeats(pattern, _join(where, "patternProperties"))


def _check_exact(value: Any, where: str) -> None:
    """Refuse numbers, also within lists and objects, that would be written as others."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, list):
            pending += item
        elif isinstance(item, int | float) and not isinstance(item, bool):
            small = isinstance(item, int) and abs(item) <= MAX_EXACT
            digits = Decimal(repr(item)).normalize().as_tuple().digits
            if not small and len(digits) > MAX_SIGNIFICANT:
                raise SchemaError(
                    f"{where}: a number has more than {MAX_SIGNIFICANT} digits and would be "
                    "rounded; ask for a string"
                )


def _check_length(value: Any, most: int, where: str) -> None:
    if isinstance(value, dict | list) and len(value) > most:
        raise SchemaError(f"{where}: it has {len(value):,} entries, the limit is {most:,}")


def _check_count(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SchemaError(f"{where}: it must be an integer that is not negative")
    if value > MAX_COUNT:
        raise SchemaError(f"{where}: it is over the limit of {MAX_COUNT:,}")


def _check_number(value: Any, where: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SchemaError(f"{where}: it must be a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise SchemaError(f"{where}: it must be finite")
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if len(digits) + exponent > MAX_DIGITS or -exponent > MAX_DIGITS:
        raise SchemaError(
            f"{where}: it has more than {MAX_DIGITS} digits before or behind the point"
        )
    return number


def _check_multiple(value: Any, where: str) -> None:
    number = _check_number(value, where)
    if number <= 0:
        raise SchemaError(f"{where}: it must be larger than 0")
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    units = int(number.scaleb(max(0, -exponent)))
    if units > MAX_MULTIPLE:
        raise SchemaError(
            f"{where}: {value} is over the limit of {MAX_MULTIPLE:,} units of its last digit"
        )


def _check_reference(root: Any, reference: Any, where: str) -> None:
    """Follow a chain of references that consist of nothing else."""
    seen: set[str] = set()
    while isinstance(reference, str) and reference.startswith("#"):
        if reference in seen:
            raise SchemaError(f"{where}: no text satisfies it, because it leads back to itself")
        seen.add(reference)
        if len(seen) > MAX_REFERENCES:
            raise SchemaError(f"{where}: it leads over more than {MAX_REFERENCES} references")
        target = _resolve(root, reference)
        reference = target.get("$ref") if isinstance(target, dict) else None


def _resolve(root: Any, reference: str) -> Any:
    node = root
    for part in reference[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict):
            node = node.get(name)
        elif isinstance(node, list) and name.isascii() and name.isdigit() and len(name) < 9:
            node = node[int(name)] if int(name) < len(node) else None
        else:
            return None
    return node
