"""Grammars: what an answer may look like, and the checks before it is worth waiting for.

A :class:`Grammar` is plain data: it is pickled to the process that decodes. Compiling and following
it is done by the package ``llguidance`` (extra ``[server]``), which is only imported when the first
grammar comes; see :mod:`pyinfer.text.grammar_matcher`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pyinfer.errors import RequestError, UsageError
from pyinfer.text.closed_schema import closed

MAX_SOURCE_BYTES = 64 << 10
MAX_NESTING = 64
MAX_CHOICES = 1024

Kind = Literal["json_object", "json_schema", "regex", "choice", "lark", "gbnf", "tools"]
# What is written in them is JSON for the most part.
JSON_KINDS: frozenset[Kind] = frozenset({"json_object", "json_schema", "tools"})

# JSON text may be laid out, but not stretched: small models would emit blanks for ever.
_JSON_OPTIONS = {"whitespace_pattern": r"\x20|\x0D?\x0A[\x20\x09]{0,32}"}

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Grammar:
    """What the content of an answer may look like.

    Attributes
    ----------
    kind : str
        ``json_object`` (any JSON object), ``json_schema``, ``regex`` (Rust syntax, the whole answer
        must match), ``choice`` (one of several texts), ``lark`` (llguidance's dialect), ``gbnf``
        (llama.cpp's) or ``tools`` (calls, made by :mod:`pyinfer.text.tool_grammar`).
    source : str
        The schema as JSON text, the pattern, a JSON list of strings, or the grammar. Empty for
        ``json_object``.
    param : str
        Name of the request's field, for messages.
    """

    kind: Kind
    source: str
    param: str = "response_format"


def schema_grammar(schema: object, param: str = "response_format") -> Grammar:
    """Grammar of a JSON schema given as a Python object.

    Raises
    ------
    RequestError
        ``schema`` is no object (nor true or false), or holds what JSON cannot.
    """
    if not isinstance(schema, dict | bool):
        raise grammar_error(param, f"a schema must be an object, not {type(schema).__name__}")
    try:
        return Grammar("json_schema", json.dumps(schema, allow_nan=False), param)
    except (TypeError, ValueError, RecursionError):
        raise grammar_error(param, "the schema is not JSON") from None


def grammar_error(param: str, what: str) -> RequestError:
    """The error for a grammar that cannot be used, naming the request's field."""
    what = " ".join(what.split())
    error = RequestError(f"{param}: {what if len(what) <= 500 else what[:497] + '...'}")
    error.param = param
    return error


def library() -> Any:
    """Return the package that follows grammars.

    Raises
    ------
    UsageError
        It is not installed.
    """
    try:
        import llguidance
    except ImportError:
        raise UsageError(
            "constrained output needs the extra [server]",
            hint="install it with: pip install 'pyinfer[server]'",
        ) from None
    return llguidance


def library_source(grammar: Grammar) -> str:
    """Translate a grammar, after checking its size, into the text that the library compiles.

    Raises
    ------
    RequestError
        The grammar is over a limit or malformed; ``param`` is the request's field.
    UsageError
        The library is not installed.
    """
    if grammar.kind not in get_args(Kind):
        raise grammar_error(grammar.param, f"unknown kind of grammar {grammar.kind!r}")
    try:
        size = len(grammar.source.encode())
    except UnicodeEncodeError:
        raise grammar_error(grammar.param, "it has a lone surrogate") from None
    if size > MAX_SOURCE_BYTES:
        raise grammar_error(
            grammar.param, f"it has {size:,} bytes, the limit is {MAX_SOURCE_BYTES:,}"
        )
    if "\0" in grammar.source:
        raise grammar_error(grammar.param, "it has a NUL character")
    return _TRANSLATE[grammar.kind](grammar)


def _from_schema(grammar: Grammar) -> str:
    """The schema itself, with our options, as the library's JSON form of a grammar."""
    schema = embedded_schema(parsed_schema(grammar), grammar.param)
    return json.dumps({"grammars": [{"json_schema": schema}]})


def parsed_schema(grammar: Grammar) -> dict[str, Any]:
    """Read the schema of a grammar of the kind ``json_object`` or ``json_schema``.

    Raises
    ------
    RequestError
        It is no schema, or nested too deeply.
    """
    schema = {"type": "object"} if grammar.kind == "json_object" else _json(grammar)
    if schema is True:
        return {}
    if schema is False:
        raise grammar_error(grammar.param, "no text satisfies it")
    if not isinstance(schema, dict):
        raise grammar_error(grammar.param, "a schema must be an object")
    return schema


def embedded_schema(schema: dict[str, Any], param: str) -> dict[str, Any]:
    """A schema, closed and with our options, as the library takes it inside other grammars.

    Raises
    ------
    RequestError
        It is too complex; ``param`` is the request's field.
    """
    try:
        return {**closed(schema), "x-guidance": _JSON_OPTIONS}
    except RequestError as error:
        raise grammar_error(param, error.message) from None


def _json(grammar: Grammar) -> Any:
    try:
        value = json.loads(grammar.source)
    except RecursionError:
        raise _too_deep(grammar) from None
    except ValueError as error:
        raise grammar_error(grammar.param, f"it is not JSON: {error}") from None
    pending = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_NESTING:
            raise _too_deep(grammar)
        if isinstance(item, dict):
            pending += [(inner, depth + 1) for inner in item.values()]
        elif isinstance(item, list):
            pending += [(inner, depth + 1) for inner in item]
    return value


def _from_choice(grammar: Grammar) -> str:
    choices = _json(grammar)
    if not isinstance(choices, list) or not all(isinstance(c, str) and c for c in choices):
        raise grammar_error(grammar.param, "choices must be strings that are not empty")
    if not 1 <= len(choices) <= MAX_CHOICES:
        raise grammar_error(
            grammar.param, f"it has {len(choices):,} choices, allowed are 1 to {MAX_CHOICES:,}"
        )
    # A rule per text, not one regular expression: its beginning is forced token by token.
    return _lark("start: " + " | ".join(json.dumps(c, ensure_ascii=False) for c in choices))


def _from_regex(grammar: Grammar) -> str:
    _check_brackets(grammar)
    return str(library().LLMatcher.grammar_from_regex(grammar.source))


def _from_lark(grammar: Grammar) -> str:
    _check_brackets(grammar)
    return _lark(grammar.source)


def _from_gbnf(grammar: Grammar) -> str:
    _check_brackets(grammar)
    from llguidance.gbnf_to_lark import any_to_lark

    try:
        return _lark(any_to_lark(grammar.source))
    except Exception as error:
        raise grammar_error(grammar.param, f"it is not GBNF: {error}") from None


def _lark(source: str) -> str:
    return str(library().LLMatcher.grammar_from_lark(source))


_TRANSLATE: dict[Kind, Callable[[Grammar], str]] = {
    "json_object": _from_schema,
    "json_schema": _from_schema,
    "regex": _from_regex,
    "choice": _from_choice,
    "lark": _from_lark,
    "gbnf": _from_gbnf,
    "tools": _from_lark,
}


def _check_brackets(grammar: Grammar) -> None:
    """Refuse deep nesting; brackets in literals count, escaped ones do not."""
    depth = deepest = 0
    for char in _ESCAPED.sub("", grammar.source):
        if char in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif char in _CLOSING:
            depth = max(0, depth - 1)
    if deepest > MAX_NESTING:
        raise _too_deep(grammar)


def _too_deep(grammar: Grammar) -> RequestError:
    return grammar_error(grammar.param, f"it is nested deeper than {MAX_NESTING} levels")
