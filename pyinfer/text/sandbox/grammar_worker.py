"""Compiles one grammar in a process with hard limits. Loaded by the fork server, never imported.

A request holds ``kind``, ``source`` and ``place`` (whether its author knows its lines). The answer
is ``{}`` if the grammar can be followed, or ``{"refused": why}``. Bytes decide what a grammar
allows, so no model's tokens are needed.
"""

from __future__ import annotations

import time
from typing import Any

from pyinfer.errors import RequestError
from pyinfer.text.grammar import Grammar, library, library_source, parser_limits
from pyinfer.text.grammar_errors import explain
from pyinfer.text.grammar_vocabulary import Vocabulary

# A walk shows what the first tokens cost: the parser works when it is asked, not when compiled.
WALK_STEPS = 48
WALK_SECONDS = 0.3
#: Processor time of one step, on the thread that all requests of a model share later.
STEP_SECONDS = 0.15

_tokens: Any = None
_limits: Any = None


def load() -> None:
    """Read the library, and compile something: what is loaded on first use is then there."""
    global _tokens, _limits
    vocabulary = Vocabulary.of_bytes()
    _tokens = library().LLTokenizer(
        vocabulary, n_vocab=len(vocabulary.tokens), eos_token=vocabulary.eos_ids, slices=[]
    )
    _limits = parser_limits()
    answer({"kind": "json_object", "source": "", "place": False})
    answer({"kind": "gbnf", "source": 'root ::= "a" [b-c]+', "place": False})


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Compile and try a grammar."""
    try:
        source = library_source(Grammar(request["kind"], request["source"], "grammar"))
    except RequestError as error:
        return {"refused": error.message.removeprefix("grammar: ")}
    matcher = library().LLMatcher(_tokens, source, log_level=0, limits=_limits)
    if matcher.is_error():
        return {"refused": explain(matcher.get_error(), place=request["place"])}
    warnings = matcher.get_grammar_warnings()
    if warnings:
        return {"refused": explain(str(warnings[0]))}
    end = time.process_time() + WALK_SECONDS
    for take in (min, max):
        refused = _walk(matcher.deep_copy(), take, end)
        if refused:
            return {"refused": refused}
    return {}


def _walk(matcher: Any, take: Any, end: float) -> str:
    """Follow the grammar for some bytes, always the lowest or always the highest one."""
    for step in range(WALK_STEPS):
        began = time.process_time()
        allowed = _allowed(matcher.compute_bitmask())
        if matcher.is_error() or not allowed:
            if step == 0:
                return "no text satisfies it"
            return explain(matcher.get_error()) if _gave_up(matcher) else ""
        choices = [token for token in allowed if token < 256]
        if not choices:
            return ""  # it ends here, or a control token comes
        matcher.consume_token(take(choices))
        now = time.process_time()
        if now - began > STEP_SECONDS:
            return "it takes too long to follow: simplify it"
        if _gave_up(matcher):
            return explain(matcher.get_error())
        if matcher.is_stopped() or now > end:
            return ""
    return ""


def _gave_up(matcher: Any) -> bool:
    """Whether a limit was reached; to arrive where nothing can follow is no reason to refuse."""
    return matcher.is_error() and "NoExtension" not in matcher.get_error()


def _allowed(mask: bytes) -> list[int]:
    bits = int.from_bytes(mask, "little")
    return [token for token in range(8 * len(mask)) if bits >> token & 1]
