"""Grammars are checked for size, depth and form before the library sees them."""

from __future__ import annotations

import json
import pickle
import sys
from typing import Any

import pytest

from pyinfer.errors import RequestError, UsageError
from pyinfer.text.grammar import (
    MAX_CHOICES,
    MAX_NESTING,
    MAX_SOURCE_BYTES,
    Grammar,
    library,
    library_source,
    schema_grammar,
)

pytest.importorskip("llguidance", reason="grammars need the extra [server]")


def refused(grammar: Grammar) -> str:
    with pytest.raises(RequestError) as caught:
        library_source(grammar)
    assert caught.value.param == grammar.param
    return caught.value.message


def nested_schema(depth: int) -> str:
    return '{"items":' * (depth - 1) + "{}" + "}" * (depth - 1)


def test_size_limit() -> None:
    fits = Grammar("json_schema", json.dumps({"title": "x" * (MAX_SOURCE_BYTES - 13)}), "format")
    assert len(fits.source) == MAX_SOURCE_BYTES
    assert library_source(fits)
    assert "65,537 bytes" in refused(Grammar("json_schema", fits.source + " ", "format"))


@pytest.mark.parametrize(
    ("kind", "head", "atom"),
    [("regex", "", "a"), ("lark", "start: ", '"a"'), ("gbnf", "root ::= ", '"a"')],
)
def test_nesting_limit_of_brackets(kind: Any, head: str, atom: str) -> None:
    def nested(depth: int) -> Grammar:
        return Grammar(kind, head + "(" * depth + atom + ")" * depth)

    assert library_source(nested(MAX_NESTING))
    assert "nested deeper than 64" in refused(nested(MAX_NESTING + 1))


def test_nesting_limit_of_json() -> None:
    assert library_source(Grammar("json_schema", nested_schema(MAX_NESTING)))
    assert "nested deeper" in refused(Grammar("json_schema", nested_schema(MAX_NESTING + 1)))
    # Deep enough to exhaust the JSON reader's own recursion.
    assert "nested deeper" in refused(Grammar("json_schema", "[" * 30_000 + "]" * 30_000))


def test_escaped_brackets_do_not_count() -> None:
    assert library_source(Grammar("regex", r"\(" * 200))


@pytest.mark.parametrize(
    ("grammar", "what"),
    [
        (Grammar("json_schema", "{"), "not JSON"),
        (Grammar("json_schema", "[]"), "must be an object"),
        (Grammar("json_schema", "false"), "no text satisfies it"),
        (Grammar("choice", "[]"), "0 choices"),
        (Grammar("choice", '["a", ""]'), "not empty"),
        (Grammar("choice", '"a"'), "must be strings"),
        (Grammar("choice", json.dumps(["a"] * (MAX_CHOICES + 1))), "1,025 choices"),
        (Grammar("gbnf", "root ::= ("), "not GBNF"),
        (Grammar("regex", "a\0"), "NUL"),
        (Grammar("regex", "\ud800"), "lone surrogate"),
        (Grammar("yaml", "a"), "unknown kind"),  # type: ignore[arg-type]
    ],
)
def test_malformed(grammar: Grammar, what: str) -> None:
    assert what in refused(grammar)


def test_most_choices_pass() -> None:
    assert library_source(Grammar("choice", json.dumps([f"c{n}" for n in range(MAX_CHOICES)])))


def test_schema_from_python() -> None:
    assert schema_grammar({"type": "object"}, "format") == Grammar(
        "json_schema", '{"type": "object"}', "format"
    )
    for bad in ({"const": float("nan")}, {"enum": [{1, 2}]}, "object", None):
        with pytest.raises(RequestError) as caught:
            schema_grammar(bad, "format")
        assert caught.value.param == "format"


def test_can_be_pickled() -> None:
    grammar = Grammar("regex", "a+", "structured_outputs")
    assert pickle.loads(pickle.dumps(grammar)) == grammar


def test_names_the_extra_when_the_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(UsageError, match=r"pyinfer\[server\]"):
        library()
