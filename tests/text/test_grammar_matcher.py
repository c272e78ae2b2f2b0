"""Masked choices at random never leave the grammar. Truth: ``jsonschema``, ``re``, ``json``."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import jsonschema
import numpy as np
import pytest

from pyinfer.errors import EngineError, RequestError
from pyinfer.text import grammar_matcher
from pyinfer.text.grammar import Grammar, schema_grammar
from pyinfer.text.grammar_check import check_grammar
from pyinfer.text.grammar_matcher import (
    BURST_SECONDS,
    MAX_COMPILED,
    STEP_SECONDS,
    GrammarCompiler,
    GrammarMatcher,
    compiler_of,
)
from pyinfer.text.grammar_vocabulary import Vocabulary
from pyinfer.text.tokenizer import Tokenizer

pytest.importorskip("llguidance", reason="grammars need the extra [server]")

SCHEMAS: dict[str, dict[str, Any]] = {
    "person": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 8},
            "age": {"type": "integer", "minimum": 0, "maximum": 130},
            "tags": {"type": "array", "items": {"enum": ["a", "b", 3, None]}, "maxItems": 3},
        },
        "required": ["name", "age"],
        "additionalProperties": False,
    },
    "union": {"anyOf": [{"type": "boolean"}, {"type": "integer", "exclusiveMinimum": 9}]},
    "one_of": {"oneOf": [{"const": "x"}, {"type": "array", "items": {"type": "null"}}]},
    "tree": {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "left": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                    "value": {"type": "number", "minimum": -2, "maximum": 2},
                },
                "required": ["left", "value"],
                "additionalProperties": False,
            }
        },
        "$ref": "#/$defs/node",
    },
    "patterns": {
        "type": "object",
        "properties": {
            "anchored": {"type": "string", "pattern": "^[a-f]{2,4}$"},
            "free": {"type": "string", "pattern": "z[0-9]", "maxLength": 10},
            "date": {"type": "string", "format": "date"},
            "uuid": {"type": "string", "format": "uuid"},
        },
        "required": ["anchored", "free", "date", "uuid"],
        "additionalProperties": False,
    },
    "tuple": {
        "type": "array",
        "prefixItems": [{"type": "string", "maxLength": 3}, {"multipleOf": 5, "type": "integer"}],
        "items": False,
        "minItems": 2,
    },
    "open": {
        "type": "object",
        "patternProperties": {"^n_": {"type": "integer"}},
        "additionalProperties": {"type": "boolean"},
        "minProperties": 1,
        "maxProperties": 3,
    },
    "both": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"type": "object", "properties": {"b": {"type": "boolean"}}, "required": ["b"]},
        ],
        "additionalProperties": True,
    },
}


def allowed_ids(matcher: GrammarMatcher, n_words: int) -> list[int]:
    out = np.full(n_words, 0xFFFFFFFF, np.uint32)
    matcher.mask(out)
    return [int(i) for i in np.flatnonzero(np.unpackbits(out.view(np.uint8), bitorder="little"))]


def words_of(tokenizer: Tokenizer) -> int:
    # Two words more than the vocabulary: the padding rows of the model.
    return -(-tokenizer.n_tokens // 32) + 2


def choose(
    tokenizer: Tokenizer, ids: list[int], matcher: GrammarMatcher, dice: random.Random
) -> int:
    """A token at random; one that brings the end nearer more often than not."""
    if matcher.complete and dice.random() < 0.5:
        return tokenizer.eos_ids[0]
    closing = [i for i in ids if tokenizer.token_bytes(i)[:1] in (b'"', b"}", b"]", b",", b":")]
    return dice.choice(closing if closing and dice.random() < 0.6 else ids)


def generate(tokenizer: Tokenizer, grammar: Grammar, dice: random.Random) -> str | None:
    """A text that follows the grammar; None if it does not end within 400 tokens."""
    matcher = compiler_of(tokenizer).matcher(grammar)
    tokens: list[int] = []
    for _ in range(400):
        ids = allowed_ids(matcher, words_of(tokenizer))
        ends = [i for i in ids if i in tokenizer.eos_ids]
        assert bool(ends) == matcher.complete
        assert ids
        assert not {i for i in ids if i in tokenizer.control_ids} - set(ends)
        assert max(ids) < tokenizer.n_tokens
        token = choose(tokenizer, ids, matcher, dice)
        if token in ends:
            return tokenizer.decode(tokens)
        tokens.append(token)
        matcher.accept(token)
    return None


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_text_is_valid(mini: Tokenizer, name: str) -> None:
    schema = SCHEMAS[name]
    # Not dates: a grammar of them does not know leap years.
    formats = jsonschema.FormatChecker(formats=["uuid"])
    validator = jsonschema.Draft202012Validator(schema, format_checker=formats)
    dice = random.Random(name)
    ended = 0
    for _ in range(12):
        text = generate(mini, schema_grammar(schema), dice)
        if text is not None:
            ended += 1
            validator.validate(json.loads(text))
    assert ended >= 3


ACCEPTED: list[tuple[str, object]] = [
    ("person", {"name": "Ann", "age": 0}),
    ("person", {"name": "日本", "age": 130, "tags": ["a", None, 3]}),
    ("union", True),
    ("union", 10),
    ("one_of", [None, None]),
    ("tree", {"left": {"left": None, "value": -1.5}, "value": 2}),
    ("patterns", {"anchored": "abef", "free": "az0b", "date": "2024-02-29",
                  "uuid": "123e4567-e89b-12d3-a456-426614174000"}),
    ("tuple", ["ab", 35]),
    ("open", {"n_x": 4, "y": True}),
    ("both", {"a": 1, "b": False}),
]  # fmt: skip
REFUSED: list[tuple[str, object]] = [
    ("person", {"name": "", "age": 0}),
    ("person", {"name": "Ann", "age": 131}),
    ("person", {"name": "Ann", "age": 1, "more": 1}),
    ("person", {"name": "Ann"}),
    ("person", {"name": "Ann", "age": 1.5}),
    ("union", 9),
    ("union", "true"),
    ("one_of", "y"),
    ("tree", {"left": None, "value": 3}),
    ("patterns", {"anchored": "abcdef", "free": "z0", "date": "2024-01-01",
                  "uuid": "123e4567-e89b-12d3-a456-426614174000"}),
    ("tuple", ["ab", 34]),
    ("tuple", ["ab", 35, 1]),
    ("open", {}),
    ("open", {"n_x": True}),
    ("both", {"a": 1}),
]  # fmt: skip


def follows(tokenizer: Tokenizer, grammar: Grammar, text: str) -> bool:
    """Whether the grammar lets the tokens of ``text`` pass and may end then."""
    matcher = compiler_of(tokenizer).matcher(grammar)
    for char in text.encode():
        # Byte by byte, so that the spelling does not matter.
        token = next(i for i in range(256) if tokenizer.token_bytes(i) == bytes([char]))
        try:
            matcher.accept(token)
        except EngineError:
            return False
    return matcher.complete


@pytest.mark.parametrize(("name", "instance"), ACCEPTED)
def test_valid_instances_pass(mini: Tokenizer, name: str, instance: object) -> None:
    jsonschema.validate(instance, SCHEMAS[name])
    for indent in (None, 2):
        text = json.dumps(instance, ensure_ascii=False, indent=indent)
        assert follows(mini, schema_grammar(SCHEMAS[name]), text)


@pytest.mark.parametrize(("name", "instance"), REFUSED)
def test_invalid_instances_do_not(mini: Tokenizer, name: str, instance: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(instance, SCHEMAS[name])
    assert not follows(mini, schema_grammar(SCHEMAS[name]), json.dumps(instance))


@pytest.mark.parametrize(
    ("grammar", "pattern"),
    [
        (Grammar("regex", r"[a-c]{2,4}-\d{2}"), r"[a-c]{2,4}-\d{2}"),
        (Grammar("choice", '["yes", "no", "may\\n\\"be\\""]'), 'yes|no|may\n"be"'),
        (Grammar("lark", 'start: "a" ("b" | "c")+ "d"'), r"a[bc]+d"),
        (Grammar("gbnf", 'root ::= "x" [0-9]+ ("," [0-9]+)*'), r"x[0-9]+(,[0-9]+)*"),
    ],
)
def test_other_kinds(mini: Tokenizer, grammar: Grammar, pattern: str) -> None:
    dice = random.Random(pattern)
    texts = [generate(mini, grammar, dice) for _ in range(10)]
    assert all(text is None or re.fullmatch(pattern, text) for text in texts)
    assert any(texts)


def test_json_object_is_an_object(mini: Tokenizer) -> None:
    dice = random.Random(1)
    texts = [generate(mini, Grammar("json_object", ""), dice) for _ in range(10)]
    assert all(text is None or isinstance(json.loads(text), dict) for text in texts)
    assert any(texts)
    assert not follows(mini, Grammar("json_object", ""), "[1]")


def test_blanks_do_not_go_on_for_ever(mini: Tokenizer) -> None:
    anything = Grammar("json_object", "")
    for blank in ("", " ", "\n", "\r\n", "\n" + " " * 32, "\n\t\t"):
        assert follows(mini, anything, "{" + blank + "}")
    for blank in ("  ", "\n\n", "\t", " \n", "\n" + " " * 33):
        assert not follows(mini, anything, "{" + blank + "}")


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ({"not": {"type": "string"}}, "not"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"type": "object", "properties": {"a": {"contains": {}}}}, "contains"),
        ({"if": {"type": "string"}, "then": {}}, "if"),
        ({"dependentRequired": {"a": ["b"]}}, "dependentRequired"),
        ({"propertyNames": {"minLength": 2}}, "propertyNames"),
        ({"type": "string", "format": "bogus"}, "bogus"),
        ({"type": "string", "format": "idn-email"}, "idn-email"),
        ({"type": "string", "pattern": "a(?=b)"}, "look-around"),
        ({"type": "foo"}, "foo"),
        ({"$ref": "#/x"}, "/x"),
        ({"$ref": "http://127.0.0.1:9/schema"}, "127.0.0.1"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, "minimum (5)"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "incompatible"),
        ({"enum": []}, "no text satisfies"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "no text satisfies"),
    ],
)
def test_unsupported_or_impossible_schemas(
    mini: Tokenizer, schema: dict[str, Any], named: str
) -> None:
    with pytest.raises(RequestError, match=re.escape(named)) as caught:
        check_grammar(schema_grammar(schema, "format"), mini)
    assert caught.value.param == "format"


@pytest.mark.parametrize(
    "grammar",
    [
        Grammar("regex", "[a-"),
        Grammar("lark", "start: x"),
        Grammar("lark", "start: start"),
        Grammar("gbnf", "root ::= root"),
        Grammar("lark", 'start: <think> "a"'),
    ],
)
def test_unusable_grammars(mini: Tokenizer, grammar: Grammar) -> None:
    with pytest.raises(RequestError):
        check_grammar(grammar, mini)


def test_keeps_a_bounded_number(mini: Tokenizer) -> None:
    compiler = compiler_of(mini)
    assert compiler_of(mini) is compiler
    for n in range(MAX_COMPILED + 10):
        compiler.matcher(schema_grammar({"const": n}))
    assert compiler.n_compiled == MAX_COMPILED


def test_keeps_a_bounded_amount(mini: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = GrammarCompiler(Vocabulary.of(mini))
    monkeypatch.setattr(grammar_matcher, "MAX_COMPILED_BYTES", 30_000)
    for n in range(12):
        compiler.matcher(Grammar("choice", json.dumps([f"{n} " + "a" * 5000])))
        assert compiler.compiled_bytes <= 30_000 or compiler.n_compiled == 1
    assert 1 <= compiler.n_compiled <= 6


class StandIn:
    """A library whose steps take as long as it says, or crash."""

    def __init__(self, clock: list[float], seconds: list[float]) -> None:
        self._clock, self._seconds = clock, seconds

    def compute_bitmask(self) -> bytes:
        seconds = self._seconds.pop(0)
        if seconds < 0:
            raise ForeignCrashError("panicked at /root/secret.rs:12")
        self._clock[0] += seconds
        return b"\xff" * 4

    def is_error(self) -> bool:
        return False


class ForeignCrashError(BaseException):
    """As the panics of native packages: no Exception."""


@pytest.mark.parametrize(
    ("seconds", "steps"),
    [
        ([0.02] * 200, 200),
        ([BURST_SECONDS - 0.01, *[STEP_SECONDS] * 50], 51),
        ([0.13] * 10, 4),
        ([BURST_SECONDS + 0.01], 0),
    ],
)
def test_steps_are_paid_from_an_account(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float], steps: int
) -> None:
    clock = [0.0]
    monkeypatch.setattr(grammar_matcher.time, "thread_time", lambda: clock[0])
    many = len(seconds)
    matcher = GrammarMatcher(StandIn(clock, seconds), np.full(1, 0xFFFFFFFF, np.uint32), None)
    out = np.zeros(1, np.uint32)
    for _ in range(steps):
        matcher.mask(out)
    if steps < many:
        with pytest.raises(RequestError, match="takes too long"):
            matcher.mask(out)


def test_a_crash_of_the_library_is_an_error_in_our_words() -> None:
    matcher = GrammarMatcher(StandIn([0.0], [-1]), np.zeros(1, np.uint32), None)
    with pytest.raises(EngineError, match=r"has crashed$"):
        matcher.mask(np.zeros(1, np.uint32))


def test_matchers_of_one_grammar_are_apart(mini: Tokenizer) -> None:
    compiler = compiler_of(mini)
    first = compiler.matcher(Grammar("choice", '["ab"]'))
    first.accept(allowed_ids(first, words_of(mini))[0])
    second = compiler.matcher(Grammar("choice", '["ab"]'))
    assert allowed_ids(first, words_of(mini)) != allowed_ids(second, words_of(mini))


def test_forced_text_is_spelled_as_the_tokenizer_spells_it(mini: Tokenizer) -> None:
    matcher = compiler_of(mini).matcher(Grammar("choice", '["hello world"]'))
    tokens = []
    while not matcher.stopped:
        (token,) = allowed_ids(matcher, words_of(mini))
        matcher.accept(token)
        tokens.append(token)
    assert tokens == mini.encode("hello world")
    assert allowed_ids(matcher, words_of(mini)) == list(mini.eos_ids)


def test_a_foreign_token_is_refused(mini: Tokenizer) -> None:
    matcher = compiler_of(mini).matcher(Grammar("choice", '["ab"]'))
    with pytest.raises(EngineError, match="cannot go on"):
        matcher.accept(mini.encode("x")[0])


def test_the_published_vocabulary(r1: Tokenizer) -> None:
    schema = SCHEMAS["person"]
    dice = random.Random(5)
    texts = [generate(r1, schema_grammar(schema), dice) for _ in range(6)]
    assert any(texts)
    for text in filter(None, texts):
        jsonschema.validate(json.loads(text), schema)
