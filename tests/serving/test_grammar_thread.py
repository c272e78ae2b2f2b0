"""Requests with a grammar reach the engine in order, or fail, or are cancelled; never lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pyinfer.engine.messages import Request
from pyinfer.errors import EngineError, PyinferError, RequestError
from pyinfer.serving import grammar_thread
from pyinfer.serving.grammar_thread import GrammarThread

PATIENCE = 120.0


class Engine:
    """Notes what comes."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self._changed = threading.Condition()

    def note(self, *what: Any) -> None:
        with self._changed:
            self.said.append(what)
            self._changed.notify_all()

    def until(self, count: int) -> list[Any]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.said) >= count, PATIENCE)
            return self.said

    def thread(self) -> GrammarThread:
        return GrammarThread(
            None,  # type: ignore[arg-type]
            lambda request: self.note("submit", request.request_id),
            lambda number: self.note("cancel", number),
            lambda number, error: self.note("fail", number, type(error)),
        )


def request(number: int) -> Request:
    return Request(request_id=number, tokens=np.zeros(1, np.int32))


def compile_with(monkeypatch: pytest.MonkeyPatch, work: Callable[[Request], None]) -> None:
    monkeypatch.setattr(grammar_thread, "compile_grammar", lambda request, _: work(request))


def test_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_with(monkeypatch, lambda request: None)
    engine = Engine()
    thread = engine.thread()
    for number in range(5):
        thread.submit(request(number))
    assert engine.until(5) == [("submit", number) for number in range(5)]
    assert not thread.cancel(0)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(RequestError("no"), RequestError), (MemoryError(), EngineError), (KeyError(), EngineError)],
)
def test_failures_are_told_and_the_thread_goes_on(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, kind: type[PyinferError]
) -> None:
    def work(request: Request) -> None:
        if request.request_id == 1:
            raise failure

    compile_with(monkeypatch, work)
    engine = Engine()
    thread = engine.thread()
    thread.submit(request(1))
    thread.submit(request(2))
    assert engine.until(2) == [("fail", 1, kind), ("submit", 2)]


def test_cancelled_ones_reach_the_engine_as_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    started, go = threading.Event(), threading.Event()
    compiled: list[int] = []

    def work(request: Request) -> None:
        started.set()
        assert go.wait(PATIENCE)
        compiled.append(request.request_id)

    compile_with(monkeypatch, work)
    engine = Engine()
    thread = engine.thread()
    thread.submit(request(1))
    thread.submit(request(2))
    assert started.wait(PATIENCE)
    assert thread.cancel(1)
    assert thread.cancel(2)
    assert engine.said == []
    go.set()
    assert engine.until(4) == [("submit", 1), ("cancel", 1), ("submit", 2), ("cancel", 2)]
    assert compiled == [1]  # nobody waits for the other one
