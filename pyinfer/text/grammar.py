"""Grammars: what an answer may look like, and the checks before it is worth waiting for.

A :class:`Grammar` is plain data: it is pickled to the process that decodes. Compiling and following
it is done by the package ``llguidance`` (extra ``[server]``), which is only imported when the first
grammar comes: first in a process with limits (:mod:`pyinfer.text.grammar_check`), then where the
answer is decoded (:mod:`pyinfer.text.grammar_matcher`).
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pyinfer.errors import RequestError, UsageError
from pyinfer.text.closed_schema import closed
from pyinfer.text.schema_limits import SchemaError, check_repeats, check_schema

MAX_SOURCE_BYTES = 64 << 10
MAX_NESTING = 64
MAX_CHOICES = 1024

# What one grammar may cost. An object of 300 properties takes 1,800 symbols and 4,000 units of
# fuel, an enum of 3,000 values 34,000 units. The time of a row of the parser grows with the square
# of the symbols: 8,000 can take 0.1 s at once.
MAX_SYMBOLS = 8_000
# Ways to read the text so far, of which a choice among 1,024 texts needs 1,025. A step of a parser
# with 2,000 of them was seen to take 0.35 s, with 1,200 less than 0.1 s.
MAX_ROW_ITEMS = 1_200
INITIAL_FUEL = 200_000
# 1 to 2 kB each, per running request.
MAX_LEXER_STATES = 20_000

Kind = Literal["json_object", "json_schema", "regex", "choice", "lark", "gbnf", "tools"]
# What is written in them is JSON for the most part.
JSON_KINDS: frozenset[Kind] = frozenset({"json_object", "json_schema", "tools"})

# JSON text may be laid out, but not stretched: small models would emit blanks for ever.
_JSON_OPTIONS = {"whitespace_pattern": r"\x20|\x0D?\x0A[\x20\x09]{0,32}"}

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_EMBEDDED = re.compile(r"%json\s*")
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


def parser_limits() -> Any:
    """The library's own limits, for every use of a grammar."""
    return library().LLParserLimits(
        max_grammar_size=MAX_SYMBOLS,
        max_items_in_row=MAX_ROW_ITEMS,
        initial_lexer_fuel=INITIAL_FUEL,
        max_lexer_states=MAX_LEXER_STATES,
        verbose_errors=False,
        # What it takes to compile shall not depend on the number of tokens.
        precompute_large_lexemes=False,
    )


def check_source(grammar: Grammar) -> None:
    """Check the size, the form and the numbers of a grammar, without compiling it.

    Raises
    ------
    RequestError
        It is over a limit or malformed; ``param`` is the request's field.
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
    _CHECK[grammar.kind](grammar)


def library_source(grammar: Grammar) -> str:
    """Translate a grammar, after :func:`check_source`, into the text that the library compiles.

    Raises
    ------
    RequestError
        The grammar is over a limit or malformed; ``param`` is the request's field.
    UsageError
        The library is not installed.
    """
    check_source(grammar)
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
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise grammar_error(grammar.param, f"it is not JSON: {place}") from None
    except ValueError:
        raise grammar_error(grammar.param, "a number in it has too many digits") from None
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


def check_bounds(schema: Any, param: str, path: str = "") -> None:
    """Check the numbers of a schema (see :mod:`pyinfer.text.schema_limits`).

    Raises
    ------
    RequestError
        One is over its bound; the message names its path, ``param`` is the request's field.
    """
    try:
        check_schema(schema, path)
    except SchemaError as error:
        raise grammar_error(param, str(error)) from None


def _check_json_schema(grammar: Grammar) -> None:
    check_bounds(parsed_schema(grammar), grammar.param)


def _check_choice(grammar: Grammar) -> None:
    choices = _json(grammar)
    if not isinstance(choices, list) or not all(isinstance(c, str) and c for c in choices):
        raise grammar_error(grammar.param, "choices must be strings that are not empty")
    if not 1 <= len(choices) <= MAX_CHOICES:
        raise grammar_error(
            grammar.param, f"it has {len(choices):,} choices, allowed are 1 to {MAX_CHOICES:,}"
        )


def _check_rules(grammar: Grammar) -> None:
    """For everything that has brackets, repetitions, and schemas within it."""
    _check_brackets(grammar)
    try:
        check_repeats(grammar.source, "")
    except SchemaError as error:
        raise grammar_error(grammar.param, str(error)) from None
    if grammar.kind == "lark":
        for found in _EMBEDDED.finditer(grammar.source):
            # What is no JSON is for the compiler to refuse.
            with contextlib.suppress(json.JSONDecodeError, RecursionError):
                schema, _ = json.JSONDecoder().raw_decode(grammar.source, found.end())
                check_bounds(schema, grammar.param)


def _from_choice(grammar: Grammar) -> str:
    # A rule per text, not one regular expression: its beginning is forced token by token.
    choices = json.loads(grammar.source)
    return _lark("start: " + " | ".join(json.dumps(c, ensure_ascii=False) for c in choices))


def _from_regex(grammar: Grammar) -> str:
    return str(library().LLMatcher.grammar_from_regex(grammar.source))


def _from_lark(grammar: Grammar) -> str:
    return _lark(grammar.source)


def _from_gbnf(grammar: Grammar) -> str:
    library()
    from llguidance.gbnf_to_lark import any_to_lark

    try:
        return _lark(any_to_lark(grammar.source))
    except Exception as error:
        # Of the translator's message, only what names the client's own text.
        undefined = re.match(r"Rule '([\w-]{1,80})' not found", str(error))
        line = re.search(r" at line (\d+),", str(error))
        what = f"the rule {undefined[1]} is not defined" if undefined else "it is malformed"
        place = f", line {line[1]}" if line else ""
        raise grammar_error(grammar.param, f"it is not GBNF{place}: {what}") from None


def _lark(source: str) -> str:
    return str(library().LLMatcher.grammar_from_lark(source))


_CHECK: dict[Kind, Callable[[Grammar], None]] = {
    "json_object": _check_json_schema,
    "json_schema": _check_json_schema,
    "regex": _check_rules,
    "choice": _check_choice,
    "lark": _check_rules,
    "gbnf": _check_rules,
    "tools": lambda grammar: _check_brackets(grammar),
}
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
