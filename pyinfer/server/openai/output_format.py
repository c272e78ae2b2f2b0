"""``response_format``, ``structured_outputs`` and their kin: which grammar a request asks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pyinfer.requests.spec import bad_value
from pyinfer.server.openai.sampling import SamplingBody
from pyinfer.text.grammar import Grammar, schema_grammar

# How vLLM is to do it, and what is so anyway.
_WITHOUT_EFFECT = frozenset({"disable_fallback", "disable_additional_properties", "_backend"})


def wanted_grammar(body: SamplingBody) -> Grammar | None:
    """The grammar of the content; None for free text.

    ``response_format`` is OpenAI's: ``{"type": "text" | "json_object" | "json_schema",
    "json_schema": {"schema": ...}}``. ``structured_outputs`` is vLLM's: one of ``json``, ``regex``,
    ``choice``, ``grammar`` (Lark, or GBNF where ``::=`` occurs) and ``json_object``. The others are
    older or other spellings of those.

    Raises
    ------
    RequestError
        Malformed, unknown, or more than one; ``param`` names the field.
    """
    found: dict[str, Grammar] = {}
    for name in _FIELDS:
        value = getattr(body, name)
        if value is None or value in ("", {}):
            continue
        grammar = _FIELDS[name](value, name)
        if grammar is not None:
            found[name] = grammar
    if len(found) > 1:
        first, second = list(found)[:2]
        raise bad_value(second, f"give either {first} or {second}")
    return next(iter(found.values()), None)


def _of_format(value: dict[str, Any], param: str) -> Grammar | None:
    kind = value.get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        # llama-server takes a schema here.
        schema = value.get("schema")
        if schema is None:
            return Grammar("json_object", "", param)
        return schema_grammar(schema, param)
    if kind != "json_schema":
        raise bad_value(f"{param}.type", f"{param}.type must be text, json_object or json_schema")
    if value.get("json_schema") is None and value.get("schema") is not None:
        return schema_grammar(value["schema"], f"{param}.schema")  # as llama-server writes it
    outer = value.get("json_schema")
    if not isinstance(outer, dict):
        raise bad_value(f"{param}.json_schema", f"{param}.json_schema must be an object")
    schema = outer.get("schema")
    if schema is None:
        if "name" not in outer:
            raise bad_value(f"{param}.json_schema.schema", "the schema is missing")
        return Grammar("json_object", "", param)
    return schema_grammar(schema, f"{param}.json_schema.schema")


def _of_structured(value: dict[str, Any], param: str) -> Grammar | None:
    given = {}
    for key, item in value.items():
        if key in _KINDS and item is not None:
            given[key] = item
        elif item is not None and item is not False and key not in _WITHOUT_EFFECT:
            what = f"{param} may have {', '.join(_KINDS)}"
            raise bad_value(f"{param}.{key[:40]}", what)
    if not given:
        return None
    if len(given) > 1:
        raise bad_value(param, f"{param} may have one entry of {', '.join(_KINDS)}")
    ((key, item),) = given.items()
    return _KINDS[key](item, f"{param}.{key}")


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


_KINDS: dict[str, Callable[[Any, str], Grammar | None]] = {
    "json": _json,
    "regex": _regex,
    "choice": _choice,
    "grammar": _grammar,
    "json_object": _json_object,
}

_FIELDS: dict[str, Callable[[Any, str], Grammar | None]] = {
    "response_format": _of_format,
    "structured_outputs": _of_structured,
    "guided_json": _json,
    "guided_regex": _regex,
    "guided_choice": _choice,
    "guided_grammar": _grammar,
    "regex": _regex,
    "ebnf": _grammar,
    "grammar": _grammar,
    "json_schema": _json,
}
