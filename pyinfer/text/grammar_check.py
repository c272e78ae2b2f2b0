"""Whether a grammar can be followed, found out in a process with limits of time and memory.

A few bytes of schema can make a compiler work and allocate without end, and nothing stops native
code in a thread. So every grammar is first compiled by :mod:`pyinfer.text.sandbox.grammar_worker`;
only what passes there within the limits reaches the process that decodes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
from collections import OrderedDict
from pathlib import Path

from pyinfer.errors import RequestError
from pyinfer.text.grammar import Grammar, check_source, grammar_error, library
from pyinfer.text.sandbox.pool import LimitError, Limits, SandboxPool
from pyinfer.text.tokenizer import Tokenizer

#: A schema of 1,000 properties takes 0.15 s; the walk over the compiled grammar at most 0.6 s more.
LIMITS = Limits(cpu_seconds=2, memory_bytes=128 << 20, wall_seconds=60.0)
PLACES, QUEUE = 2, 32
#: Memory for what is known about earlier grammars.
MAX_VERDICT_BYTES = 1 << 20
_MOST = 64 << 10
_ENTRY_BYTES = 300  # of a short entry, with its key


class GrammarChecker:
    """Asks the sandbox and remembers what it said. May be used from any thread.

    Parameters
    ----------
    pool : SandboxPool
    """

    def __init__(self, pool: SandboxPool) -> None:
        self.pool = pool
        self._verdicts: OrderedDict[bytes, str] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def remembered_bytes(self) -> int:
        """About the memory that the verdicts take."""
        return self._bytes

    def check(self, grammar: Grammar) -> None:
        """Raise if a grammar cannot be followed; waits for the answer.

        Raises
        ------
        RequestError
            It is malformed, not supported, impossible, or too costly; ``param`` names the field.
        QueueFullError
            Too many grammars are being checked.
        UsageError
            The extra ``[server]`` is not installed.
        EngineError
            The processes cannot be started.
        """
        key, verdict = self._known(grammar)
        if verdict is None:
            try:
                verdict = self._learn(key, self.pool.run(_request(grammar), _MOST))
            except LimitError as error:
                verdict = self._costly(key, error)
        _raise(grammar, verdict)

    async def acheck(self, grammar: Grammar) -> None:
        """As :meth:`check`, for asyncio; cancelling the task ends the work."""
        key, verdict = self._known(grammar)
        if verdict is None:
            try:
                verdict = self._learn(key, await self.pool.arun(_request(grammar), _MOST))
            except LimitError as error:
                verdict = self._costly(key, error)
        _raise(grammar, verdict)

    def _known(self, grammar: Grammar) -> tuple[bytes, str | None]:
        if importlib.util.find_spec("llguidance") is None:
            library()  # says what is missing
        check_source(grammar)
        key = hashlib.sha256(f"{grammar.kind}\0{grammar.source}".encode()).digest()
        with self._lock:
            verdict = self._verdicts.get(key)
            if verdict is not None:
                self._verdicts.move_to_end(key)
        return key, verdict

    def _learn(self, key: bytes, said: bytes) -> str:
        """Remember and return why a grammar is refused; empty if it is not."""
        answer = json.loads(said)
        return self._remember(key, str(answer.get("refused", "")))

    def _costly(self, key: bytes, error: LimitError) -> str:
        verdict = f"it takes too much to compile ({error}): simplify it"
        return self._remember(key, verdict) if error.lasting else verdict

    def _remember(self, key: bytes, verdict: str) -> str:
        with self._lock:
            if key not in self._verdicts:
                self._bytes += _ENTRY_BYTES + len(verdict)
                self._verdicts[key] = verdict
            while self._bytes > MAX_VERDICT_BYTES:
                self._bytes -= _ENTRY_BYTES + len(self._verdicts.popitem(last=False)[1])
        return verdict


def _request(grammar: Grammar) -> bytes:
    place = grammar.kind == "lark"
    return json.dumps({"kind": grammar.kind, "source": grammar.source, "place": place}).encode()


def _raise(grammar: Grammar, verdict: str) -> None:
    if verdict:
        raise grammar_error(grammar.param, verdict)


CHECKER = GrammarChecker(
    SandboxPool(
        Path(__file__).parent / "sandbox/grammar_worker.py",
        ("llguidance", "pyinfer"),
        LIMITS,
        PLACES,
        QUEUE,
    )
)
"""The one of this process."""


def check_end(tokenizer: Tokenizer) -> None:
    """Refuse grammars for a model without an end token.

    Raises
    ------
    RequestError
        It has none.
    """
    if not tokenizer.eos_ids:
        raise RequestError("the model has no end token, so a grammar could never end")


def check_grammar(grammar: Grammar, tokenizer: Tokenizer) -> None:
    """See that a grammar can be followed; errors as :meth:`GrammarChecker.check`."""
    check_end(tokenizer)
    CHECKER.check(grammar)
