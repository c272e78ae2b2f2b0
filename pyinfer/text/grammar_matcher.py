"""Following a grammar while tokens are chosen, with the package ``llguidance``.

One :class:`GrammarCompiler` exists per tokenizer. It gives the library the bytes of every token id,
so that a mask of ids follows from a grammar of bytes: a token is allowed if its bytes may come
next, an end token exactly where the grammar may end, a control token (``<think>``, BOS ...) and a
padding id never. The one exception are the markers of tool calls.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer.errors import EngineError, RequestError
from pyinfer.text.grammar import JSON_KINDS, Grammar, grammar_error, library, library_source
from pyinfer.text.number_guard import DigitTables, NumberGuard
from pyinfer.text.tags import CALL_TAGS
from pyinfer.text.tokenizer import Tokenizer

MAX_COMPILED = 64  # grammars kept per tokenizer
# Control tokens that a grammar may name (``<tool_call>``).
TOOL_MARKERS = CALL_TAGS
# 1 to 2 kB each, per running request.
MAX_LEXER_STATES = 20_000


class GrammarCompiler:
    """Turns grammars into matchers for one tokenizer; keeps the latest ones.

    May be used from several threads at once.

    Parameters
    ----------
    vocabulary : Vocabulary

    Raises
    ------
    UsageError
        The extra ``[server]`` is not installed.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._library = library()
        n_tokens = len(vocabulary.tokens)
        # Without its tables for common patterns the library starts twice as fast (0.4 s for 152k
        # tokens, during which Python stands still) and masks as fast but for single steps.
        self._tokens = self._library.LLTokenizer(
            vocabulary, n_vocab=n_tokens, eos_token=vocabulary.eos_ids, slices=[]
        )
        self._limits = self._library.LLParserLimits(
            max_lexer_states=MAX_LEXER_STATES, verbose_errors=False
        )
        self._allowed = _bits_of(set(range(n_tokens)) - vocabulary.banned_ids, n_tokens)
        self._bytes = vocabulary.tokens
        self._digits = DigitTables(vocabulary.tokens)
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
        guard = NumberGuard(self._bytes, self._digits) if grammar.kind in JSON_KINDS else None
        return GrammarMatcher(known.deep_copy(), self._allowed, guard)

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
    numbers : NumberGuard or None
        For grammars about JSON.
    """

    def __init__(
        self, matcher: Any, allowed: npt.NDArray[np.uint32], numbers: NumberGuard | None
    ) -> None:
        self._matcher = matcher
        self._allowed = allowed
        self._numbers = numbers

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
        if self._numbers is not None:
            self._numbers.limit(out[:count])
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
        if self._numbers is not None:
            self._numbers.push(token)

    def _failure(self) -> EngineError:
        return EngineError(f"the grammar cannot go on: {_reason(self._matcher.get_error())}")


class Vocabulary:
    """Tokens as the library wants them.

    Parameters
    ----------
    tokens : list of bytes
        What each id stands for; empty for ids without use.
    control_ids : collection of int
        Ids that no text becomes, end tokens among them.
    eos_ids : sequence of int
        At least one.
    bos_id : int, optional
    encode : callable
        The model's own spelling of a text that a grammar leaves no choice about.
    """

    is_tokenizer_wrapper = True

    def __init__(
        self,
        tokens: list[bytes],
        control_ids: Collection[int],
        eos_ids: Sequence[int],
        bos_id: int | None,
        encode: Callable[[str], list[int]],
    ) -> None:
        self.tokens = tokens
        self.eos_ids = list(eos_ids)
        self.eos_token_id = eos_ids[0]
        self.bos_token_id = bos_id
        # Listed ids are never matched by bytes. Unused ids have no bytes and match nothing.
        self.special_token_ids = sorted({*control_ids, *eos_ids})
        self.banned_ids = {
            i for i in control_ids if tokens[i].decode(errors="replace") not in TOOL_MARKERS
        } - set(eos_ids)
        self._encode = encode

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Vocabulary:
        """The vocabulary of a tokenizer; holds no reference to the tokenizer itself."""
        return cls(
            [tokenizer.token_bytes(i) for i in range(tokenizer.n_tokens)],
            tokenizer.control_ids | tokenizer.special_ids,
            tokenizer.eos_ids,
            tokenizer.bos_id,
            tokenizer.plain_encoder(),
        )

    @classmethod
    def of_bytes(cls) -> Vocabulary:
        """Every byte, the markers, and one end token: enough to see what a grammar is worth."""
        tokens = [bytes([byte]) for byte in range(256)]
        tokens += [b"<eos>", *(marker.encode() for marker in sorted(TOOL_MARKERS))]
        return cls(tokens, range(256, len(tokens)), (256,), None, lambda text: [*text.encode()])

    def __call__(self, text: str) -> list[int]:
        """Ids of a text."""
        return self._encode(text)


def compiler_of(tokenizer: Tokenizer) -> GrammarCompiler:
    """The one compiler of a tokenizer, made on the first call.

    Raises
    ------
    UsageError
        The extra ``[server]`` is not installed.
    """
    compiler = tokenizer.grammar_compiler
    if not isinstance(compiler, GrammarCompiler):
        compiler = GrammarCompiler(Vocabulary.of(tokenizer))
        tokenizer.grammar_compiler = compiler
    return compiler


def check_grammar(grammar: Grammar, tokenizer: Tokenizer) -> None:
    """Compile a grammar to see that it can be followed.

    Costs milliseconds, for the worst grammars half a second, so not on an event loop. Bytes decide,
    so the tokenizer's own compiler, which takes longer to make, is not needed for it.

    Raises
    ------
    RequestError
        It cannot; the message says why and ``param`` names the field.
    UsageError
        The extra ``[server]`` is not installed.
    """
    if not tokenizer.eos_ids:
        raise RequestError("the model has no end token, so a grammar could never end")
    _checker().matcher(grammar)


@cache
def _checker() -> GrammarCompiler:
    return GrammarCompiler(Vocabulary.of_bytes())


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
