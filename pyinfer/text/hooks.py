"""The rules of one request on the engine's thread: stop strings, reasoning budget, grammar."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from pyinfer.errors import EngineError, RequestError
from pyinfer.text.budget import ReasoningWatch
from pyinfer.text.detokenizer import Decoded, Detokenizer
from pyinfer.text.grammar import Grammar
from pyinfer.text.grammar_matcher import GrammarMatcher, compiler_of
from pyinfer.text.reasoning import ReasoningParser
from pyinfer.text.stop import StopMatcher
from pyinfer.text.tokenizer import Tokenizer

# What a model of the R1 family writes between the closing tag and the answer.
_GAP = "\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a request asks of its text, besides stop strings. Can be pickled.

    Attributes
    ----------
    grammar : Grammar or None
        Holds for the content, from the first token after the reasoning.
    reasoning_budget : int or None
        Most reasoning tokens (1 or more); None or negative for no limit. 0 is a matter of the
        prompt, which then holds an empty reasoning.
    starts_in_reasoning : bool
        The prompt ends with the opening tag.
    stops_in_content : bool
        Stop strings count from the first character of the content: those of the reasoning, and the
        white space behind it, end nothing.
    begun : str
        Content that stands at the end of the prompt: the answer goes on with it.
    extra_stops : tuple of str
        Further texts after which the engine stops. They stay part of the answer: whoever asks for
        them (the parser of tool calls) removes them.
    loop_guard : bool
        Cut off an answer that repeats itself (done by the caller of :func:`build_hooks`: it needs
        no text).
    """

    grammar: Grammar | None = None
    reasoning_budget: int | None = None
    starts_in_reasoning: bool = False
    stops_in_content: bool = False
    begun: str = ""
    extra_stops: tuple[str, ...] = ()
    loop_guard: bool = False


class _Params(Protocol):
    """The part of the sampling parameters that matters here."""

    @property
    def stop(self) -> str | Sequence[str]: ...
    @property
    def min_tokens(self) -> int: ...
    @property
    def ignore_eos(self) -> bool: ...


class RequestHooks:
    """A rule for the engine made of several (see :mod:`pyinfer.engine.hooks`).

    The only place that decodes the tokens of its answer: their texts travel with them to the
    reader, which cuts at the stop string by itself; here it only keeps the engine from going on.

    Parameters
    ----------
    tokenizer : Tokenizer
    stops : sequence of str
        As for :class:`~pyinfer.text.stop.StopMatcher`.
    scope : ReasoningParser or None
        Finds the content, which alone is searched for stop strings; None is everything.
    ends : collection of int
        Tokens of the content that are stops themselves.
    watch : ReasoningWatch or None
        None where the reasoning matters to nothing.
    grammar : GrammarMatcher or None
    stop_at_end : bool
        Stop where the grammar leaves nothing but an end token: the request may forbid those.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        stops: Sequence[str],
        scope: ReasoningParser | None = None,
        ends: Collection[int] = (),
        watch: ReasoningWatch | None = None,
        grammar: GrammarMatcher | None = None,
        stop_at_end: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._detokenizer = Detokenizer(tokenizer)
        self._decoded: list[Decoded] = []
        self._stops = StopMatcher(stops)
        self._scope = scope
        self._ends = frozenset(ends)
        self._watch = watch
        self._grammar = grammar
        self._stop_at_end = stop_at_end
        self._gap = tokenizer.encode(_GAP) if grammar is not None else []

    @property
    def masks(self) -> bool:
        """Whether there is a grammar."""
        return self._grammar is not None

    def on_token(self, token: int) -> Literal["stop"] | list[int] | None:
        """See one sampled token and say what happens next."""
        decoded = self._decode(token)
        if self._stops.stopped or (token in self._ends and self._watch is None):
            return "stop"
        watch = self._watch
        if watch is None:
            return self._follow(token)
        forced = watch.push(decoded)
        if watch.inside:
            return None
        self._watch = None
        if forced is None:
            forced = self._arm(watch.first_content)
        for extra in forced:
            self._decode(extra)
        return forced or None

    def instead_of_end(self) -> list[int] | None:
        """An answer that must have a content does not end inside its reasoning."""
        if self._watch is None or self._grammar is None:
            return None
        forced = self._watch.close()
        self._watch = None
        for extra in forced:
            self._decode(extra)
        return forced

    def take_texts(self) -> list[Decoded]:
        """What the tokens since the last call add, the forced ones too."""
        decoded, self._decoded = self._decoded, []
        return decoded

    def _decode(self, token: int) -> Decoded:
        decoded = self._detokenizer.decode(token)
        self._decoded.append(decoded)
        for piece in decoded[0]:
            if self._scope is None:
                self._stops.feed(piece)
                continue
            for kind, text in self._scope.push(piece):
                if kind == "content":
                    self._stops.feed(text)
        return decoded

    def mask(self, out: npt.NDArray[np.uint32]) -> bool:
        """Write the allowed tokens; False while everything is allowed."""
        if self._grammar is None or self._watch is not None:
            return False
        self._grammar.mask(out)
        return True

    def _follow(self, token: int) -> Literal["stop"] | None:
        if self._grammar is None:
            return None
        self._grammar.accept(token)
        return "stop" if self._stop_at_end and self._grammar.stopped else None

    def _arm(self, first_content: str) -> list[int]:
        """The reasoning has ended by itself; return what is put before the content."""
        if self._grammar is None:
            return []
        if not first_content:
            return self._gap
        # The closing tag and the first content share a token: no single token in this vocabulary.
        for token in self._tokenizer.encode(first_content, parse_special=False):
            self._grammar.accept(token)
        return []


def build_hooks(rules: Rules | None, params: _Params, tokenizer: Tokenizer) -> RequestHooks | None:
    """Make the engine's rules of one request; None if there are none.

    Raises
    ------
    RequestError
        The grammar cannot be used.
    UsageError
        There is a grammar, but the extra ``[server]`` is not installed.
    """
    rules = rules or Rules()
    stops = (params.stop,) if isinstance(params.stop, str) else tuple(params.stop)
    ends = [tokenizer.tags[tag] for tag in rules.extra_stops if tag in tokenizer.tags]
    stops += tuple(text for text in rules.extra_stops if text not in tokenizer.tags)
    inside = rules.starts_in_reasoning
    limited = inside and rules.reasoning_budget is not None and rules.reasoning_budget >= 0
    if not (rules.grammar or limited or stops or ends):
        return None
    grammar = None if rules.grammar is None else compiler_of(tokenizer).matcher(rules.grammar)
    watch = None
    if inside and (limited or grammar is not None or ends):
        watch = ReasoningWatch(tokenizer, inside, rules.reasoning_budget)
    scope = None
    if stops and rules.stops_in_content:
        scope = ReasoningParser(inside, tokenizer.tags, starts_in_content=bool(rules.begun))
    if grammar is not None and rules.begun:
        _follow_begun(grammar, rules, tokenizer)
    stop_at_end = params.ignore_eos or params.min_tokens > 0
    return RequestHooks(tokenizer, stops, scope, ends, watch, grammar, stop_at_end)


def _follow_begun(grammar: GrammarMatcher, rules: Rules, tokenizer: Tokenizer) -> None:
    """Go on behind the content that stands in the prompt."""
    for token in tokenizer.encode(rules.begun, parse_special=False):
        try:
            grammar.accept(token)
        except EngineError:
            name = "" if rules.grammar is None else rules.grammar.param
            error = RequestError(f"the answer that is to be continued does not fit {name}")
            error.param = "messages"
            raise error from None
