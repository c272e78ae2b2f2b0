"""Rules that steer a sequence, and requests that fail without hurting others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyinfer.engine.messages import (
    Event,
    Failed,
    Request,
    Tokens,
)
from pyinfer.errors import (
    EngineError,
    NumericError,
)

from .driver import answer, check_books, end_of, expected, make_engine, run
from .fake_model import (
    EOS,
    N_VALID,
    FakeModel,
    make_request,
    prefix_logits,
)


class Rules:
    """Hooks written down as data."""

    def __init__(self, actions: dict[int, Any], allowed: list[int] | None = None) -> None:
        self.actions = actions
        self.allowed = allowed
        self.seen: list[int] = []
        self.instead: tuple[int, ...] | None = None

    @property
    def masks(self) -> bool:
        return self.allowed is not None

    def on_token(self, token: int) -> Any:
        self.seen.append(token)
        action = self.actions.get(len(self.seen))
        if isinstance(action, Exception):
            raise action
        return action

    def take_texts(self) -> None:
        return None

    def instead_of_end(self) -> Any:
        return self.instead

    def mask(self, out: np.ndarray) -> bool:
        if self.allowed is None or len(self.seen) > 4:
            return False
        bits = np.zeros(len(out) * 32, np.uint8)
        bits[self.allowed] = 1
        out[:] = np.packbits(bits, bitorder="little").view(np.uint32)
        return True


def run_with_rules(rules: Rules, **options: Any) -> list[Event]:
    engine = make_engine(FakeModel(), hook_factory=lambda request: rules)
    options = {"ignore_eos": True, "temperature": 0, "max_tokens": 8, **options}
    events = run(engine, [make_request(0, [1, 2, 3], **options)])[0]
    check_books(engine)
    return events


def test_hooks_stop_and_force() -> None:
    plain = answer(run_with_rules(Rules({})))
    events = run_with_rules(Rules({3: "stop"}))
    assert answer(events) == plain[:3]
    assert (end_of(events).reason, end_of(events).cause) == ("stop", "hook")

    rules = Rules({2: (11, 12, 13)})
    forced = answer(run_with_rules(rules))
    assert forced[:5] == [*plain[:2], 11, 12, 13]
    assert len(forced) == 8
    tokens = [1, 2, 3, *forced]
    for i in range(8, 11):
        logits = prefix_logits(np.array(tokens[:i]))[:N_VALID]
        logits[EOS] = -np.inf
        assert tokens[i] == int(np.argmax(logits))
    assert 11 not in rules.seen

    events = run_with_rules(Rules({2: (11, 12, 13)}), max_tokens=4)
    assert answer(events) == [*plain[:2], 11, 12]
    assert end_of(events).cause == "limit"


def test_an_end_token_can_be_replaced() -> None:
    rules = Rules({}, [EOS])  # nothing but the end token may come
    assert answer(run_with_rules(rules, ignore_eos=False)) == [EOS]
    rules.instead = (11, 12, 13)
    events = run_with_rules(rules, ignore_eos=False)
    assert answer(events) == [11, 12, 13, 11, 12, 13, 11, 12]
    assert end_of(events).cause == "limit"


def test_hooks_mask_the_vocabulary() -> None:
    allowed = [3, 33, 50]
    tokens = answer(run_with_rules(Rules({}, allowed), temperature=1.5))
    assert set(tokens[:5]) <= set(allowed)
    assert not set(tokens) <= set(allowed)


def test_a_failing_hook_ends_only_its_request() -> None:
    rules = Rules({2: ValueError("broken rule")})
    engine = make_engine(
        FakeModel(), hook_factory=lambda request: rules if request.request_id == 0 else None
    )
    requests = [make_request(i, [1, 2, 3], max_tokens=20, ignore_eos=True) for i in range(2)]
    events = run(engine, requests)
    failed = events[0][-1]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, EngineError)
    assert "ValueError" in str(failed.error)
    assert "broken rule" not in str(failed.error)
    assert str(failed.error.__cause__) == "broken rule"
    assert len(answer(events[0])) == 2
    assert len(answer(events[1])) == 20
    check_books(engine)


def test_a_hook_factory_that_fails_ends_only_its_request() -> None:
    def factory(request: Request) -> None:
        raise KeyError("no such rule")

    engine = make_engine(FakeModel(), hook_factory=factory)
    (event,) = engine.add(make_request(0, [1]))
    assert isinstance(event, Failed)
    assert not engine.has_work


def test_not_finite_logits_end_only_that_request() -> None:
    model = FakeModel()
    model.spoil = lambda span: span.tokens[0] == 9
    engine = make_engine(model)
    bad, good = make_request(0, [9] * 5, max_tokens=9), make_request(1, [8] * 5, max_tokens=9)
    events = run(engine, [bad, good])
    assert isinstance(events[0][-1], Failed)
    assert isinstance(events[0][-1].error, NumericError)
    assert answer(events[1]) == expected(good, 9999)
    check_books(engine)


def test_log_probabilities_come_with_each_token() -> None:
    events = run_with_rules(Rules({2: (11,)}), logprobs=2)
    entries = [e for event in events if isinstance(event, Tokens) for e in event.logprobs or []]
    tokens = answer(events)
    assert len(entries) == len(tokens)
    assert entries[2] is None  # forced
    for index in (0, 1, 3, 4):
        logits = prefix_logits(np.array([1, 2, 3, *tokens[:index]]))[:N_VALID].astype(float)
        exact = logits - np.log(np.exp(logits).sum())
        own, best = entries[index]
        assert own == pytest.approx(exact[tokens[index]], abs=1e-9)
        assert [i for i, _ in best] == np.argsort(-exact)[:2].tolist()
