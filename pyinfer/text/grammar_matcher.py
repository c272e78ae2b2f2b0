"""Following a grammar while tokens are chosen, with the package ``llguidance``.

One :class:`GrammarCompiler` exists per tokenizer. It gives the library the bytes of every token id,
so that a mask of ids follows from a grammar of bytes: a token is allowed if its bytes may come
next, an end token exactly where the grammar may end, a control token (``<think>``, BOS ...) and a
padding id never. The one exception are the markers of tool calls.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer.errors import EngineError, RequestError
from pyinfer.text.grammar import Grammar, grammar_error, library, library_source
from pyinfer.text.tokenizer import Tokenizer

MAX_COMPILED = 64  # grammars kept per tokenizer
# Control tokens that only mean the text they show; a grammar has to name them (``<tool_call>``).
TOOL_MARKERS = frozenset({"<tool_call>", "</tool_call>"})
# 1 to 2 kB each, per running request.
MAX_LEXER_STATES = 20_000


class GrammarCompiler:
    """Turns grammars into matchers for one tokenizer; keeps the latest ones.

    May be used from several threads at once.

    Parameters
    ----------
    tokenizer : Tokenizer

    Raises
    ------
    UsageError
        The extra ``[server]`` is not installed.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._library = library()
        self.n_tokens = tokenizer.n_tokens
        self._tokens = self._library.LLTokenizer(
            _Vocabulary(tokenizer), n_vocab=tokenizer.n_tokens, eos_token=list(tokenizer.eos_ids)
        )
        self._limits = self._library.LLParserLimits(
            max_lexer_states=MAX_LEXER_STATES, verbose_errors=False
        )
        markers = {i for name, i in tokenizer.added_tokens.items() if name in TOOL_MARKERS}
        banned = tokenizer.control_ids - markers - set(tokenizer.eos_ids)
        self._allowed = _bits_of(set(range(self.n_tokens)) - banned, self.n_tokens)
        self._compiled: OrderedDict[Grammar, Any] = OrderedDict()
        self._lock = Lock()

    @property
    def n_compiled(self) -> int:
        """How many grammars are kept."""
        return len(self._compiled)

    def matcher(self, grammar: Grammar) -> GrammarMatcher:
        """Return a matcher at the beginning of ``grammar``.

        Raises
        ------
        RequestError
            The grammar is malformed, uses what is not supported, or nothing satisfies it.
        """
        with self._lock:
            known = self._compiled.get(grammar)
            if known is not None:
                self._compiled.move_to_end(grammar)
        if known is None:
            known = self._compile(grammar)
            with self._lock:
                self._compiled[grammar] = known
                while len(self._compiled) > MAX_COMPILED:
                    self._compiled.popitem(last=False)
        return GrammarMatcher(known.deep_copy(), self._allowed)

    def _compile(self, grammar: Grammar) -> Any:
        source = library_source(grammar)
        compiled = self._library.LLMatcher(self._tokens, source, log_level=0, limits=self._limits)
        if compiled.is_error():
            raise grammar_error(grammar.param, _reason(compiled.get_error()))
        warnings = compiled.get_grammar_warnings()
        if warnings:
            raise grammar_error(grammar.param, _reason(str(warnings[0])))
        trial = compiled.deep_copy()
        first = np.frombuffer(trial.compute_bitmask(), np.uint32)
        if trial.is_error() or not (first & self._allowed).any():
            raise grammar_error(grammar.param, "no text satisfies it")
        return compiled


class GrammarMatcher:
    """Where one answer stands within its grammar.

    Parameters
    ----------
    matcher : llguidance.LLMatcher
    allowed : uint32 (ceil(n_tokens / 32),)
        Bits of the ids that a grammar may name at all: no control tokens but end tokens
        and tool markers.
    """

    def __init__(self, matcher: Any, allowed: npt.NDArray[np.uint32]) -> None:
        self._matcher = matcher
        self._allowed = allowed

    @property
    def stopped(self) -> bool:
        """Whether nothing but an end token may come."""
        return bool(self._matcher.is_stopped())

    @property
    def complete(self) -> bool:
        """Whether the answer may end here."""
        return bool(self._matcher.is_accepting())

    def mask(self, out: npt.NDArray[np.uint32]) -> None:
        """Write which tokens may come next.

        Parameters
        ----------
        out : uint32 (W,), written
            Bit ``id % 32`` of word ``id // 32``; words behind the vocabulary become 0.

        Raises
        ------
        EngineError
            The library gave up, for instance because the grammar is too ambiguous here.
        """
        words = np.frombuffer(self._matcher.compute_bitmask(), np.uint32)
        count = min(len(out), len(self._allowed))
        np.bitwise_and(words[:count], self._allowed[:count], out=out[:count])
        out[count:] = 0
        if self._matcher.is_error():
            raise self._failure()

    def accept(self, token: int) -> None:
        """Go on by one token.

        Raises
        ------
        EngineError
            The grammar does not allow the token here.
        """
        if not self._matcher.consume_token(token):
            raise self._failure()

    def _failure(self) -> EngineError:
        return EngineError(f"the grammar cannot go on: {_reason(self._matcher.get_error())}")


def compiler_of(tokenizer: Tokenizer) -> GrammarCompiler:
    """The one compiler of a tokenizer, made on the first call.

    Raises
    ------
    UsageError
        The extra ``[server]`` is not installed.
    """
    compiler = tokenizer.grammar_compiler
    if not isinstance(compiler, GrammarCompiler):
        compiler = GrammarCompiler(tokenizer)
        tokenizer.grammar_compiler = compiler
    return compiler


def check_grammar(grammar: Grammar, tokenizer: Tokenizer) -> None:
    """Compile a grammar to see that it can be followed; costs milliseconds, so not on a loop.

    Raises
    ------
    RequestError
        It cannot; the message says why and ``param`` names the field.
    UsageError
        The extra ``[server]`` is not installed.
    """
    if not tokenizer.eos_ids:
        raise RequestError("the model has no end token, so a grammar could never end")
    compiler_of(tokenizer).matcher(grammar)


class _Vocabulary:
    """The tokenizer as the library wants it. Holds no reference to the tokenizer itself."""

    is_tokenizer_wrapper = True

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.eos_token_id = tokenizer.eos_ids[0]
        self.bos_token_id = tokenizer.bos_id
        self.tokens = [tokenizer.token_bytes(i) for i in range(tokenizer.n_tokens)]
        # Listed ids are never matched by bytes. Unused ids have no bytes and match nothing.
        hidden = tokenizer.control_ids | tokenizer.special_ids
        self.special_token_ids = sorted({*hidden, *tokenizer.eos_ids})
        self._encode: Callable[[str], list[int]] = tokenizer.plain_encoder()

    def __call__(self, text: str) -> list[int]:
        """Ids of a text that the grammar leaves no choice about: the model's own spelling."""
        return self._encode(text)


def _bits_of(ids: set[int], n_tokens: int) -> npt.NDArray[np.uint32]:
    """Bit ``id % 32`` of word ``id // 32`` for each id."""
    bits = np.zeros(-(-n_tokens // 32) * 32, np.uint8)
    bits[sorted(ids)] = 1
    return np.packbits(bits, bitorder="little").view(np.uint32)


def _reason(text: str) -> str:
    """The library's message without its pictures of the source and its own state."""
    lines = [line.strip() for line in text.replace("<non-verbose/>", "").splitlines()]
    lines = [line for line in lines if line.strip("^") and not re.match(r"\d+ \| ", line)]
    return " ".join(lines[:4])
