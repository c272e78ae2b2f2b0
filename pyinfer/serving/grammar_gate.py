"""Checks the grammars of requests without holding up anything else of the server."""

from __future__ import annotations

import asyncio

from pyinfer.errors import UnavailableError
from pyinfer.requests.prepare import Prepared
from pyinfer.text.grammar_check import CHECKER
from pyinfer.text.template_sandbox import POOL as TEMPLATES


class GrammarGate:
    """What a request with a grammar waits for; lives on one event loop.

    The work is done by the processes of :mod:`pyinfer.text.grammar_check`. It ends when the
    request is cancelled, and when the server ends.
    """

    def __init__(self) -> None:
        self._checks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether a grammar would be checked, and a template rendered, or queued for it, now."""
        return CHECKER.pool.ready and TEMPLATES.ready

    async def check(self, prepared: Prepared) -> None:
        """Raise if the grammar of a request cannot be followed.

        Raises
        ------
        RequestError, QueueFullError, UsageError, EngineError
            As :meth:`~pyinfer.text.grammar_check.GrammarChecker.check`.
        UnavailableError
            The server ends.
        """
        rules = prepared.requests[0].rules
        if rules is None or rules.grammar is None:
            return
        task = asyncio.ensure_future(CHECKER.acheck(rules.grammar))
        self._checks.add(task)
        try:
            await task
        except asyncio.CancelledError:
            if not self._closed:
                raise
            raise UnavailableError("the server is shutting down") from None
        finally:
            self._checks.discard(task)

    def close(self) -> None:
        """End what is being checked."""
        self._closed = True
        for task in self._checks:
            task.cancel()
