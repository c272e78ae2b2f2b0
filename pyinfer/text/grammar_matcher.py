"""Following a grammar while tokens are chosen, with the package ``llguidance``.

One :class:`GrammarCompiler` exists per tokenizer. It gives the library the bytes of every token id,
so that a mask of ids follows from a grammar of bytes: a token is allowed if its bytes may come
next, an end token exactly where the grammar may end, a control token (``<think>``, BOS ...) and a
padding id never. The one exception are the markers of tool calls.
"""

from __future__ import annotations

import resource
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pyinfer.errors import EngineError, RequestError
from pyinfer.text.grammar import (
    JSON_KINDS,
    Grammar,
    grammar_error,
    library,
    library_source,
    parser_limits,
)
from pyinfer.text.grammar_errors import explain
from pyinfer.text.grammar_vocabulary import Vocabulary
from pyinfer.text.number_guard import DigitTables, NumberGuard
from pyinfer.text.tokenizer import Tokenizer

# Grammars kept per tokenizer, and the memory by which the process may grow for them.
MAX_COMPILED = 64
MAX_COMPILED_BYTES = 64 << 20
# Processor time of one request's grammar: per token, and in advance for a few costly ones. The
# library's own limits end nearly every step within a tenth of it.
STEP_SECONDS = 0.03
BURST_SECONDS = 0.5

_STATM = Path("/proc/self/statm")

Result = TypeVar("Result")


class GrammarCompiler:
    """Turns grammars into matchers for one tokenizer; keeps the latest ones.

    May be used from several threads at once. Only for grammars that
    :mod:`pyinfer.text.grammar_check` has let pass: here nothing can be interrupted.

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
        self._limits = parser_limits()
        self._allowed = _bits_of(set(range(n_tokens)) - vocabulary.banned_ids, n_tokens)
        self._token_bytes = vocabulary.tokens
        self._digits = DigitTables(vocabulary.tokens)
        self._compiled: OrderedDict[Grammar, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    @property
    def n_compiled(self) -> int:
        """How many grammars are kept."""
        return len(self._compiled)

    @property
    def compiled_bytes(self) -> int:
        """By how much the process has grown while they were compiled."""
        return self._bytes

    def matcher(self, grammar: Grammar) -> GrammarMatcher:
        """Return a matcher at the beginning of ``grammar``.

        Raises
        ------
        RequestError
            The grammar is malformed, uses what is not supported, or nothing satisfies it.
        """
        with self._lock:
            kept = self._compiled.get(grammar)
            if kept is not None:
                self._compiled.move_to_end(grammar)
        if kept is not None:
            return self._begin(grammar, kept[0])
        before = _resident_bytes()
        compiled = _guarded(self._compile, grammar)
        # Other threads may grow or shrink the process meanwhile; over many grammars that evens out.
        size = max(len(grammar.source), _resident_bytes() - before)
        self._keep(grammar, compiled, size)
        return self._begin(grammar, compiled)

    def _begin(self, grammar: Grammar, compiled: Any) -> GrammarMatcher:
        guard = NumberGuard(self._token_bytes, self._digits) if grammar.kind in JSON_KINDS else None
        return GrammarMatcher(compiled.deep_copy(), self._allowed, guard)

    def _keep(self, grammar: Grammar, compiled: Any, size: int) -> None:
        with self._lock:
            if grammar in self._compiled:
                self._bytes -= self._compiled.pop(grammar)[1]
            self._compiled[grammar] = compiled, size
            self._bytes += size
            while len(self._compiled) > MAX_COMPILED or (
                self._bytes > MAX_COMPILED_BYTES and len(self._compiled) > 1
            ):
                self._bytes -= self._compiled.popitem(last=False)[1][1]

    def _compile(self, grammar: Grammar) -> Any:
        source = library_source(grammar)
        compiled = self._library.LLMatcher(self._tokens, source, log_level=0, limits=self._limits)
        if compiled.is_error():
            raise grammar_error(grammar.param, explain(compiled.get_error()))
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
        self._seconds = BURST_SECONDS

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
        RequestError
            The grammar takes more time than others can wait for it.
        """
        self._seconds = min(BURST_SECONDS, self._seconds + STEP_SECONDS)
        words = np.frombuffer(self._timed(self._matcher.compute_bitmask), np.uint32)
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
        RequestError
            As :meth:`mask`.
        """
        if not self._timed(self._matcher.consume_token, token):
            raise self._failure()
        if self._numbers is not None:
            self._numbers.push(token)

    def _timed(self, call: Callable[..., Result], *args: object) -> Result:
        """Call the library on this request's account of processor time."""
        began = time.thread_time()
        result = _guarded(call, *args)
        self._seconds -= time.thread_time() - began
        if self._seconds < 0:
            raise RequestError(
                "the grammar takes too long to follow here", hint="simplify the grammar"
            )
        return result

    def _failure(self) -> EngineError:
        return EngineError(f"the grammar cannot go on: {explain(self._matcher.get_error())}")


def compiler_of(tokenizer: Tokenizer) -> GrammarCompiler:
    """The one compiler of a tokenizer, made on the first call.

    Raises
    ------
    UsageError
        The extra ``[server]`` is not installed.
    """
    with _MAKING:
        compiler = tokenizer.grammar_compiler
        if not isinstance(compiler, GrammarCompiler):
            compiler = GrammarCompiler(Vocabulary.of(tokenizer))
            tokenizer.grammar_compiler = compiler
        return compiler


_MAKING = Lock()


def _guarded(call: Callable[..., Result], *args: object) -> Result:
    """Call the library; a crash in it (no :class:`Exception`) ends the request, not the thread."""
    try:
        return call(*args)
    except (Exception, KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        raise EngineError("the code that follows grammars has crashed") from None


def _bits_of(ids: set[int], n_tokens: int) -> npt.NDArray[np.uint32]:
    """Bit ``id % 32`` of word ``id // 32`` for each id."""
    bits = np.zeros(-(-n_tokens // 32) * 32, np.uint8)
    bits[sorted(ids)] = 1
    return np.packbits(bits, bitorder="little").view(np.uint32)


def _resident_bytes() -> int:
    return int(_STATM.read_text("ascii").split()[1]) * resource.getpagesize()
