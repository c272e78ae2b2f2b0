"""Numbers of an answer in JSON have an end."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pyinfer.text.grammar import Grammar, schema_grammar
from pyinfer.text.grammar_matcher import GrammarCompiler, GrammarMatcher
from pyinfer.text.grammar_vocabulary import Vocabulary
from pyinfer.text.number_guard import MAX_DIGITS, MAX_EXPONENT_DIGITS, DigitTables

pytest.importorskip("llguidance", reason="grammars need the extra [server]")

# Single bytes, an end token, and tokens of several digits as real vocabularies have them.
TOKENS = [bytes([byte]) for byte in range(256)] + [b"<eos>", b"333", b"12345678", b"a7", b",5"]


@pytest.fixture(scope="module")
def compiler() -> GrammarCompiler:
    return GrammarCompiler(Vocabulary(TOKENS, [256], [256], None, lambda text: [*text.encode()]))


def allowed(matcher: GrammarMatcher) -> set[bytes]:
    out = np.zeros(-(-len(TOKENS) // 32) + 1, np.uint32)
    matcher.mask(out)
    bits = np.unpackbits(out.view(np.uint8), bitorder="little")
    return {TOKENS[int(i)] for i in np.flatnonzero(bits)}


def after(compiler: GrammarCompiler, grammar: Grammar, text: str) -> set[bytes]:
    matcher = compiler.matcher(grammar)
    for byte in text.encode():
        matcher.accept(byte)
    return allowed(matcher)


ANY_JSON = Grammar("json_object", "")
NUMBER = schema_grammar({"type": "number"})


@pytest.mark.parametrize(
    ("grammar", "text"),
    [
        (schema_grammar({"type": "integer"}), "9" * MAX_DIGITS),
        (schema_grammar({"type": "integer", "minimum": 3}), "-3"[1:] * MAX_DIGITS),
        (NUMBER, "0." + "3" * MAX_DIGITS),
        (NUMBER, "-1e-" + "9" * MAX_EXPONENT_DIGITS),
        (ANY_JSON, '{"a": [true, ' + "1" * MAX_DIGITS),
        (ANY_JSON, '{"a\\"' + "1" * 40 + '": ' + "1" * MAX_DIGITS),
    ],
)
def test_no_more_digits(compiler: GrammarCompiler, grammar: Grammar, text: str) -> None:
    assert after(compiler, grammar, text[:-1]) & {b"3", b"5"}
    left = after(compiler, grammar, text)
    assert left
    assert not {token for token in left if token[:1].isdigit()}


def test_tokens_of_several_digits_count_in_full(compiler: GrammarCompiler) -> None:
    grammar = schema_grammar({"type": "integer"})
    assert b"12345678" in after(compiler, grammar, "1" * (MAX_DIGITS - 8))
    left = after(compiler, grammar, "1" * (MAX_DIGITS - 3))
    assert b"333" in left
    assert b"12345678" not in left


@pytest.mark.parametrize("value", [10**30, [10**25, "x"], {"a": 10**22}])
def test_a_number_that_the_schema_asks_for_is_written(
    compiler: GrammarCompiler, value: Any
) -> None:
    matcher = compiler.matcher(schema_grammar({"enum": [value]}))
    for byte in json.dumps(value).encode():
        assert bytes([byte]) in allowed(matcher)
        matcher.accept(byte)
    assert matcher.complete


@pytest.mark.parametrize(
    ("grammar", "text"),
    [
        (schema_grammar({"type": "string"}), '"' + "1" * 40),
        (Grammar("regex", "[0-9]+"), "1" * 40),
        (ANY_JSON, '{"' + "1" * 40),
    ],
)
def test_digits_of_text_are_free(compiler: GrammarCompiler, grammar: Grammar, text: str) -> None:
    assert b"333" in after(compiler, grammar, text)


def test_tables() -> None:
    tables = DigitTables([b"", b"1", b"12a", b"a12", b"1234"])
    assert [bin(int(tables.at_most(n)[0])) for n in (0, 1, 2, 4)] == [
        "0b1001", "0b1011", "0b1111", "0b11111",
    ]  # fmt: skip
