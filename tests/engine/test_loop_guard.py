"""Loops are noticed at the token that completes them, and nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyinfer.engine.loop_guard import (
    LONGEST_BLOCK,
    REPEATS,
    SHORTEST_BLOCK,
    GuardedHooks,
    LoopGuard,
)

from .driver import answer, check_books, end_of, make_engine, run
from .fake_model import FakeModel, make_request, prefix_logits
from .sampling_oracle import make_row


def first_alarm(tokens: list[int]) -> int | None:
    """How many tokens were seen when the guard spoke."""
    guard = LoopGuard()
    return next((n for n, token in enumerate(tokens, 1) if guard.push(token)), None)


@pytest.mark.parametrize("block", [SHORTEST_BLOCK, 9, 100, LONGEST_BLOCK])
def test_sixteen_equal_blocks_are_a_loop(block: int) -> None:
    before = list(range(5000, 5000 + 777))
    tokens = before + list(range(block)) * REPEATS
    assert first_alarm(tokens) == len(tokens)
    assert first_alarm(tokens[:-1]) is None
    broken = [*tokens[:-3], 9999, *tokens[-3:]]
    assert first_alarm(broken) is None


@pytest.mark.parametrize("block", [1, 2, 3, 5, 7])
def test_shorter_blocks_count_as_their_multiples(block: int) -> None:
    period = next(n for n in range(SHORTEST_BLOCK, 99) if n % block == 0)
    assert first_alarm(list(range(block)) * 500) == period * REPEATS


def test_longer_blocks_and_chance_are_no_loops() -> None:
    assert first_alarm(list(range(LONGEST_BLOCK + 1)) * (REPEATS + 1)) is None
    assert first_alarm(np.random.default_rng(3).integers(0, 3, 20_000).tolist()) is None


class Said:
    """Rules written down as data."""

    masks = True

    def __init__(self, action: Any) -> None:
        self.action = action

    def on_token(self, token: int) -> Any:
        return self.action

    def take_texts(self) -> None:
        return None

    def instead_of_end(self) -> Any:
        return [8]

    def mask(self, out: np.ndarray) -> bool:
        out[:] = 7
        return True


@pytest.mark.parametrize("action", ["stop", [4, 5], None])
def test_rules_come_first(action: Any) -> None:
    hooks = GuardedHooks(Said(action))
    seen = [hooks.on_token(1) for _ in range(SHORTEST_BLOCK * REPEATS)]
    assert seen[:-1] == [action] * (len(seen) - 1)
    assert seen[-1] == ("loop" if action is None else action)
    assert hooks.instead_of_end() == [8]
    bits = np.zeros(2, np.uint32)
    assert (hooks.masks, hooks.mask(bits), bits.tolist()) == (True, True, [7, 7])
    alone = GuardedHooks()
    assert (alone.masks, alone.mask(bits), alone.on_token(1)) == (False, False, None)


def test_the_engine_ends_a_loop_and_nothing_else() -> None:
    model = FakeModel()

    def row(prefix: np.ndarray) -> Any:
        logits = prefix_logits(prefix)
        if prefix[0] == 7:  # goes round and round
            logits[:] = 0
            logits[len(prefix) % 11] = 30
        return make_row(logits, model.n_valid, 12)

    model.row_of = row
    engine = make_engine(model, hook_factory=lambda request: GuardedHooks())
    options = {"temperature": 0, "max_tokens": 400, "ignore_eos": True}
    events = run(engine, [make_request(0, [7, 1, 2], **options), make_request(1, [1], **options)])
    end = end_of(events[0])
    assert (end.reason, end.cause, len(answer(events[0]))) == ("length", "loop", 11 * REPEATS)
    assert (end_of(events[1]).cause, len(answer(events[1]))) == ("limit", 400)
    check_books(engine)
