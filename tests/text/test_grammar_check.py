"""Grammars are judged in a sandbox; whatever happens in there is one error about one field."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyinfer.errors import RequestError
from pyinfer.text import grammar_check
from pyinfer.text.grammar import MAX_CHOICES, Grammar, schema_grammar
from pyinfer.text.grammar_check import (
    CHECKER,
    LIMITS,
    MAX_VERDICT_BYTES,
    GrammarChecker,
    check_grammar,
)
from pyinfer.text.grammar_matcher import GrammarCompiler
from pyinfer.text.grammar_vocabulary import Vocabulary
from pyinfer.text.sandbox.pool import LimitError, SandboxPool

from .sandbox.workers import jobs_of, pool, server_pid, wait_for

pytest.importorskip("llguidance", reason="grammars need the extra [server]")


MATCHERS = GrammarCompiler(Vocabulary.of_bytes())


class CountingPool:
    """Says the same about everything."""

    def __init__(self, answer: dict[str, Any] | LimitError) -> None:
        self.answer = answer
        self.asked = 0

    def run(self, request: bytes, most: int) -> bytes:
        self.asked += 1
        if isinstance(self.answer, LimitError):
            raise self.answer
        return json.dumps(self.answer).encode()


def checker(stand_in: object) -> GrammarChecker:
    return GrammarChecker(stand_in)  # type: ignore[arg-type]


def refusal(judge: GrammarChecker, grammar: Grammar) -> str:
    with pytest.raises(RequestError) as caught:
        judge.check(grammar)
    assert caught.value.param == grammar.param
    return caught.value.message


@pytest.mark.parametrize(
    ("do", "what"),
    [
        ("spin", "limit of time"),
        ("allocate", "limit of memory"),
        ("abort", "limit of memory"),
        ("segfault", "crashed"),
        ("raise", "crashed"),
    ],
)
def test_what_the_compiler_does_not_survive_is_refused(tmp_path: Path, do: str, what: str) -> None:
    judge = GrammarChecker(pool(tmp_path))
    message = refusal(judge, Grammar("regex", do, "format"))
    assert message.startswith("format: it takes too much to compile")
    assert what in message
    assert "secret" not in message
    judge.check(Grammar("regex", "print", "format"))


def test_verdicts_are_remembered() -> None:
    accepting = CountingPool({})
    judge = checker(accepting)
    for param in ("format", "tools"):
        judge.check(Grammar("regex", "a", param))
    assert accepting.asked == 1
    judge.check(Grammar("lark", "a", "format"))
    assert accepting.asked == 2


@pytest.mark.parametrize("answer", [{"refused": "no"}, LimitError("it broke its limit of time")])
def test_refusals_are_remembered_for_every_field(answer: Any) -> None:
    refusing = CountingPool(answer)
    judge = checker(refusing)
    for param in ("format", "tools"):
        assert refusal(judge, Grammar("regex", "a", param)).startswith(param)
    assert refusing.asked == 1


def test_the_clock_is_no_verdict() -> None:
    stand_in = CountingPool(LimitError("it ran longer than 30 s", lasting=False))
    judge = checker(stand_in)
    for _ in range(2):
        assert "longer than" in refusal(judge, Grammar("regex", "a"))
    assert stand_in.asked == 2


def test_ten_thousand_schemas_stay_below_the_cap() -> None:
    judge = checker(CountingPool({}))
    for n in range(10_000):
        judge.check(schema_grammar({"const": n}))
    assert judge.remembered_bytes <= MAX_VERDICT_BYTES
    assert len(judge._verdicts) * 300 <= MAX_VERDICT_BYTES
    assert len(judge._verdicts) > 1_000
    wordy = checker(CountingPool({"refused": "x" * 450}))
    for n in range(10_000):
        refusal(wordy, schema_grammar({"const": n}))
    assert wordy.remembered_bytes <= MAX_VERDICT_BYTES
    assert sum(map(len, wordy._verdicts.values())) < MAX_VERDICT_BYTES


def test_malformed_grammars_never_reach_the_compiler() -> None:
    stand_in = CountingPool({})
    for grammar in (
        Grammar("json_schema", "{"),
        Grammar("json_schema", '{"multipleOf": 100000}'),
        Grammar("regex", "a{1000000}"),
        Grammar("lark", 'start: %json {"maxLength": -1}'),
        Grammar("gbnf", 'root ::= "a"{99999}'),
        Grammar("regex", "(" * 100),
    ):
        refusal(checker(stand_in), grammar)
    assert stand_in.asked == 0


def test_a_cancelled_check_ends_its_process(tmp_path: Path) -> None:
    sandbox = pool(tmp_path)
    judge = GrammarChecker(sandbox)

    async def work() -> None:
        task = asyncio.ensure_future(judge.acheck(Grammar("regex", "sleep")))
        while not (sandbox.running and jobs_of(server_pid(sandbox))):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await judge.acheck(Grammar("regex", "next"))

    asyncio.run(work())
    wait_for(lambda: not jobs_of(server_pid(sandbox)))


def test_both_ways_say_the_same() -> None:
    good, bad = Grammar("regex", "[ab]+"), Grammar("regex", "[ab")
    asyncio.run(CHECKER.acheck(good))
    CHECKER.check(good)
    with pytest.raises(RequestError) as first:
        asyncio.run(GrammarChecker(CHECKER.pool).acheck(bad))
    assert refusal(CHECKER, bad) == first.value.message


@pytest.mark.parametrize(
    "grammar",
    [
        Grammar("choice", json.dumps([f"value {n}" for n in range(MAX_CHOICES)])),
        schema_grammar({"enum": [f"value {n}" for n in range(3000)]}),
        schema_grammar(
            {
                "type": "object",
                "properties": {f"p{n}": {"type": "string"} for n in range(900)},
                "required": [f"p{n}" for n in range(900)],
            }
        ),
        schema_grammar(
            {"type": "object", "properties": {f"p{n}": {"type": "number"} for n in range(120)}}
        ),
        schema_grammar({"type": "string", "maxLength": 2**31 - 1}),
        schema_grammar({"type": "array", "minItems": 100_000}),
    ],
    ids=lambda grammar: grammar.source[:40],
)
def test_large_and_ordinary_ones_pass(grammar: Grammar) -> None:
    CHECKER.check(grammar)
    MATCHERS.matcher(grammar)


def test_the_limits_are_the_stated_ones() -> None:
    sandbox: SandboxPool = CHECKER.pool
    assert sandbox.limits == LIMITS
    assert LIMITS.cpu_seconds <= 2
    assert LIMITS.memory_bytes <= 256 << 20


@pytest.mark.parametrize(
    ("grammar", "what"),
    [
        (Grammar("lark", "start: " + '"a"? ' * 12_000, "grammar"), "too large or too complex"),
        (Grammar("lark", "start: " + '"a"? ' * 2_500, "grammar"), "too ambiguous"),
        (Grammar("regex", "(" * 30_000 + "a" + ")" * 30_000, "grammar"), "nested deeper than 64"),
        (Grammar("gbnf", "root ::= " + "(" * 60_000, "grammar"), "nested deeper than 64"),
        (Grammar("json_schema", "[" * 60_000, "grammar"), "nested deeper than 64"),
        (Grammar("lark", "start: a\nb: c\n", "grammar"), "line 1, column 8: the rule a is not"),
        (Grammar("gbnf", "root ::= a\n", "grammar"), "the rule a is not defined"),
        (Grammar("gbnf", 'root ::= "a', "grammar"), "it is not GBNF, line 1: it is malformed"),
        (Grammar("json_schema", '{"a": ' + "9" * 5000 + "}", "grammar"), "too many digits"),
        (Grammar("json_schema", '{"a":\n x}', "grammar"), "not JSON: line 2, column 2"),
    ],
)
def test_refusals_of_the_real_compiler(grammar: Grammar, what: str) -> None:
    assert what in refusal(CHECKER, grammar)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.floats(-10, 10),
    st.sampled_from(
        ["a", "^a{2,3}$", "[", "string", "integer", "object", "date", "#", "#/$defs/d"]
    ),
)
SCHEMAS = st.recursive(
    st.one_of(VALUES, st.just({})),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "anyOf", "allOf", "oneOf", "$ref", "$defs", "enum",
                 "const", "minimum", "maximum", "multipleOf", "minLength", "maxLength", "pattern",
                 "minItems", "maxItems", "prefixItems", "required", "additionalProperties",
                 "patternProperties", "format", "d", "a"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)  # fmt: skip


@given(SCHEMAS)
def test_any_schema_is_followed_or_refused(schema: Any) -> None:
    refused = None
    try:
        grammar = schema_grammar(schema, "format")
        CHECKER.check(grammar)
    except RequestError as error:
        refused = error
    if refused is None:
        MATCHERS.matcher(grammar)  # what passed compiles where answers are decoded
    else:
        assert refused.param == "format"
        assert "crashed" not in refused.message
        assert not re.search(r"panic|\.rs\b|Traceback|/root|/home", refused.message)


def test_a_model_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless:
        eos_ids: tuple[int, ...] = ()

    monkeypatch.setattr(grammar_check.CHECKER, "check", lambda grammar: None)
    with pytest.raises(RequestError, match="no end token"):
        check_grammar(Grammar("regex", "a"), Endless())  # type: ignore[arg-type]
