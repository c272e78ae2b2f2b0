"""Nothing of what a library says about itself reaches a client."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyinfer.text.grammar_errors import _KNOWN, explain

SECRETS = (
    "thread 'main' panicked at /root/.cargo/registry/src/parser.rs:120:9: index out of bounds",
    "panic: called `Option::unwrap()` on a `None` value (Unknown format: x)",
    "Internal error: assertion failed at src/earley/lexer.rs:99",
    "PanicException: Invalid type: foo",
    "",
    "\x00\x1b[31m" * 1000,
)


@pytest.mark.parametrize("text", SECRETS)
def test_unknown_text_becomes_one_sentence(text: str) -> None:
    assert explain(text) == explain("whatever else")
    assert "compiled" in explain(text)


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    said = explain("earley.rs:77 " + text)
    assert said == " ".join(said.split())
    assert "earley" not in said
    assert len(said) < 300


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('Unimplemented keys: ["not"]', 'these keywords are not supported: "not"'),
        ("Unsatisfiable schema: minimum (5) is greater than maximum (3)",
         "no text satisfies it: minimum (5) is greater than maximum (3)"),
        ('at 3(8): unknown name: "x"\n   3 | start: x\n              ^\n',
         "line 3, column 8: the rule x is not defined"),
        ("Current row has 6001 items; max is 2000; consider making your grammar left-recursive",
         "it is too ambiguous to be followed: too many ways to read the same text"),
        ("parser error: Too many items (limit 50000; ff_tokens); try avoiding short lexemes",
         "it is too ambiguous to be followed: too many ways to read the same text"),
        ("lexer error: too many expressions constructed",
         "it is too large or too complex to be followed: simplify it"),
        ("patternProperty regexes /a/ and /[ab]/ are not disjoint",
         "the patterns of patternProperties overlap"),
        ("at 2(1): initial lexer configuration (grammar) too big (limit for this grammar: 9)",
         "line 2, column 1: it is too large or too complex to be followed: simplify it"),
    ],
)  # fmt: skip
def test_known_faults_are_named(text: str, said: str) -> None:
    assert explain(text, place=True) == said


def test_the_place_is_only_for_texts_of_the_client() -> None:
    assert explain('at 3(8): unknown name: "x"') == "the rule x is not defined"


def test_the_source_of_the_client_is_no_fault() -> None:
    text = 'at 1(1): something new\n   1 | start: "Unknown format: x"\n              ^\n'
    assert explain(text) == explain("something new")


def test_every_sentence_has_a_place_for_each_group() -> None:
    for pattern, sentence in _KNOWN:
        assert sentence.count("{}") == re.compile(pattern).groups, pattern
