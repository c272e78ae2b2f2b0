"""``response_format`` and ``structured_outputs``: which grammar a request asks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pyinfer.requests.spec import bad_value
from pyinfer.text.grammar import Grammar, schema_grammar

_FORMAT = "response_format"
_STRUCTURED = "structured_outputs"


def wanted_grammar(
    response_format: dict[str, Any] | None, structured: dict[str, Any] | None
) -> Grammar | None:
    """The grammar of the content; None for free text.

    Parameters
    ----------
    response_format : dict, optional
        ``{"type": "text" | "json_object" | "json_schema", "json_schema": {"schema": ...}}``.
    structured : dict, optional
        One of ``json``, ``regex``, ``choice``, ``grammar`` (Lark, or GBNF where ``::=`` occurs) and
        ``json_object``.

    Raises
    ------
    RequestError
        Malformed, unknown, or more than one.
    """
    first = _of_format(response_format) if response_format else None
    second = _of_structured(structured) if structured else None
    if first and second:
        raise bad_value(_STRUCTURED, "give either response_format or structured_outputs")
    return first or second


def _of_format(value: dict[str, Any]) -> Grammar | None:
    kind = value.get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        # llama-server takes a schema here.
        schema = value.get("schema")
        if schema is None:
            return Grammar("json_object", "", _FORMAT)
        return schema_grammar(schema, _FORMAT)
    if kind != "json_schema":
        raise bad_value(
            f"{_FORMAT}.type", f"{_FORMAT}.type must be text, json_object or json_schema"
        )
    outer = value.get("json_schema")
    if not isinstance(outer, dict):
        raise bad_value(f"{_FORMAT}.json_schema", f"{_FORMAT}.json_schema must be an object")
    schema = outer.get("schema")
    if schema is None:
        if "name" not in outer:
            raise bad_value(f"{_FORMAT}.json_schema.schema", "the schema is missing")
        return Grammar("json_object", "", _FORMAT)
    return schema_grammar(schema, f"{_FORMAT}.json_schema.schema")


def _of_structured(value: dict[str, Any]) -> Grammar | None:
    given = {key: item for key, item in value.items() if item is not None}
    for key in given:
        if key not in _STRUCTURED_KINDS:
            raise bad_value(
                f"{_STRUCTURED}.{key[:40]}",
                f"{_STRUCTURED} may have {', '.join(_STRUCTURED_KINDS)}",
            )
    if not given:
        return None
    if len(given) > 1:
        raise bad_value(_STRUCTURED, f"{_STRUCTURED} may have one entry, not {len(given)}")
    ((key, item),) = given.items()
    return _STRUCTURED_KINDS[key](item, f"{_STRUCTURED}.{key}")


def _json(item: Any, param: str) -> Grammar:
    return Grammar("json_schema", item, param) if isinstance(item, str) else (
        schema_grammar(item, param)
    )  # fmt: skip


def _regex(item: Any, param: str) -> Grammar:
    return Grammar("regex", _text(item, param), param)


def _choice(item: Any, param: str) -> Grammar:
    if not isinstance(item, list) or not all(isinstance(text, str) for text in item):
        raise bad_value(param, f"{param} must be a list of strings")
    return Grammar("choice", json.dumps(item, ensure_ascii=False), param)


def _grammar(item: Any, param: str) -> Grammar:
    text = _text(item, param)
    return Grammar("gbnf" if "::=" in text else "lark", text, param)


def _json_object(item: Any, param: str) -> Grammar | None:
    if not isinstance(item, bool):
        raise bad_value(param, f"{param} must be true or false")
    return Grammar("json_object", "", param) if item else None


def _text(item: Any, param: str) -> str:
    if not isinstance(item, str) or not item:
        raise bad_value(param, f"{param} must be a string that is not empty")
    return item


_STRUCTURED_KINDS: dict[str, Callable[[Any, str], Grammar | None]] = {
    "json": _json,
    "regex": _regex,
    "choice": _choice,
    "grammar": _grammar,
    "json_object": _json_object,
}
