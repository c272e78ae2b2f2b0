"""Drives an engine by hand and sorts its events."""

from __future__ import annotations

from typing import Any

from pyinfer.config import GenerationDefaults
from pyinfer.engine.engine import Engine
from pyinfer.engine.messages import (
    End,
    Event,
    Failed,
    Request,
    Tokens,
)

from .fake_model import (
    EOS,
    FakeModel,
    reference_answer,
)

DEFAULTS = GenerationDefaults(temperature=0.8, top_p=0.95, eos_token_ids=(EOS,))


def make_engine(model: FakeModel, **options: Any) -> Engine:
    engine = Engine(model, DEFAULTS, **options)
    model.pool = engine.scheduler.pool
    return engine


def run(engine: Engine, requests: list[Request], most_steps: int = 5000) -> dict[int, list[Event]]:
    events: dict[int, list[Event]] = {r.request_id: [] for r in requests}
    for request in requests:
        engine.check(request)
        collect(events, engine.add(request))
    for _ in range(most_steps):
        if not engine.has_work:
            return events
        collect(events, engine.step())
    raise AssertionError("the engine does not come to an end")


def collect(events: dict[int, list[Event]], new: list[Event]) -> None:
    for event in new:
        events[event.request_id].append(event)


def answer(events: list[Event]) -> list[int]:
    return [token for event in events if isinstance(event, Tokens) for token in event.ids]


def end_of(events: list[Event]) -> End:
    assert isinstance(events[-1], End)
    assert not any(isinstance(event, End | Failed) for event in events[:-1])
    return events[-1]


def expected(request: Request, limit: int) -> list[int]:
    params = request.params.filled(DEFAULTS)
    return reference_answer(request.tokens.tolist(), params, limit, request.choice)


def check_books(engine: Engine) -> None:
    """With no sequence left, every block is free or kept by the prefix cache alone."""
    pool, prefix = engine.scheduler.pool, engine.scheduler.prefix
    assert not engine.scheduler.running
    assert not engine.scheduler.waiting
    assert pool.free + prefix.evictable() == pool.n_blocks
    prefix.clear()
    assert pool.free == pool.n_blocks
