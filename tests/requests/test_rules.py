"""What a request asks of its text and of the guard, as one rule for the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pyinfer
from pyinfer import SamplingParams
from pyinfer.engine.loop_guard import GuardedHooks
from pyinfer.engine.messages import Request
from pyinfer.errors import RequestError
from pyinfer.requests.rules import hook_factory
from pyinfer.text.grammar import Grammar
from pyinfer.text.grammar_check import CHECKER
from pyinfer.text.hooks import RequestHooks, Rules
from pyinfer.text.tokenizer import Tokenizer

from ..text.sandbox.workers import pool


def request(rules: Rules | None, stop: str = "") -> Request:
    params = SamplingParams(stop=stop or ())
    return Request(request_id=1, tokens=np.zeros(1, np.int32), params=params, rules=rules)


def test_rules_and_guard(tokenizer_folder: Path) -> None:
    hooks = hook_factory(Tokenizer.from_folder(tokenizer_folder))
    guard = Rules(loop_guard=True)
    assert hooks(request(None)) is None
    assert hooks(request(Rules())) is None
    assert isinstance(hooks(request(None, stop="x")), RequestHooks)
    assert isinstance(hooks(request(guard)), GuardedHooks)
    assert isinstance(hooks(request(guard, stop="x")), GuardedHooks)


def test_without_a_tokenizer_only_the_guard_is_left() -> None:
    hooks = hook_factory(None)
    assert hooks(request(None, stop="x")) is None
    assert isinstance(hooks(request(Rules(loop_guard=True))), GuardedHooks)


def test_the_library_follows_a_grammar_after_the_reasoning() -> None:
    pytest.importorskip("llguidance", reason="grammars need the extra [server]")
    params = SamplingParams(temperature=0, max_tokens=200)
    with pyinfer.load() as llm:
        grammar = Grammar("choice", '["yes", "no"]')
        with llm.stream_chat("is beijing a big city?", params, grammar=grammar) as stream:
            result = stream.result()
        assert result.reasoning.strip()
        assert result.text in ("yes", "no")


def test_the_library_refuses_what_the_compiler_does_not_survive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llguidance", reason="grammars need the extra [server]")
    monkeypatch.setattr(CHECKER, "pool", pool(tmp_path, always="allocate"))
    params = SamplingParams(temperature=0, max_tokens=4)
    with pyinfer.load() as llm:
        for grammar in (Grammar("regex", "allocating"), Grammar("regex", "a{99999}")):
            with pytest.raises(RequestError) as caught:
                llm.stream_chat("hi", params, grammar=grammar)
            assert caught.value.param == grammar.param
        assert llm.chat("hi", params).usage.completion_tokens == 4
