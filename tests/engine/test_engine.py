"""The engine on a model that notices every wrong token, position and block."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyinfer.engine.messages import (
    End,
    Event,
    Failed,
    Prefill,
    PromptLogits,
    Queued,
    Request,
    Tokens,
)
from pyinfer.engine.params import SamplingParams
from pyinfer.errors import (
    CancelledError,
    ContextLengthError,
    EngineError,
    RequestError,
)

from .driver import DEFAULTS, answer, check_books, collect, end_of, expected, make_engine, run
from .fake_model import (
    EOS,
    N_VALID,
    VOCABULARY,
    FakeModel,
    make_request,
    prefix_logits,
    reference_answer,
)


@st.composite
def workloads(draw: Any) -> list[tuple[int, Request]]:
    """(step of arrival, request); many prompts begin alike."""
    requests = []
    for number in range(draw(st.integers(1, 7))):
        common = draw(st.sampled_from([0, 0, 63, 64, 65, 130, 200]))
        own = draw(st.integers(1, 90))
        tokens = [5] * common + [(number * 7 + i) % 50 for i in range(own)]
        request = make_request(
            number,
            tokens,
            seed=draw(st.integers(0, 3)),
            choice=draw(st.integers(0, 1)),
            max_tokens=draw(st.sampled_from([1, 2, 30, 100, None])),
            temperature=draw(st.sampled_from([0.0, 0.8])),
            repetition_penalty=draw(st.sampled_from([1.0, 1.3])),
            reuse_prefix=draw(st.booleans()),
            stream=draw(st.booleans()),
        )
        requests.append((draw(st.integers(0, 30)), request))
    return requests


@settings(max_examples=100, deadline=None)
@given(
    work=workloads(),
    n_blocks=st.integers(6, 24),
    max_step_tokens=st.sampled_from([8, 16, 40, 128, 512]),
    max_running=st.integers(1, 8),
    cancels=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 60)), max_size=2),
    failures=st.sets(st.integers(0, 40), max_size=5),
    fast=st.booleans(),
)
def test_tokens_never_depend_on_what_else_runs(
    work: list[tuple[int, Request]],
    n_blocks: int,
    max_step_tokens: int,
    max_running: int,
    cancels: list[tuple[int, int]],
    failures: set[int],
    fast: bool,
) -> None:
    """Batched, chunked, preempted, resumed, interrupted, from the prefix cache: same tokens."""
    model = FakeModel(n_blocks, max_step_tokens)
    time = iter(range(0, 10**15, 1000 if fast else 50_000_000))
    engine = make_engine(model, max_running=max_running, clock=lambda: next(time))
    limit = n_blocks * 64
    events: dict[int, list[Event]] = {request.request_id: [] for _, request in work}
    attempts = 0

    def sometimes_cancelled(spans: Any, flag: Any) -> None:
        nonlocal attempts
        attempts += 1
        if attempts in failures:
            raise CancelledError("by chance")

    model.before_step = sometimes_cancelled
    left = sorted(work, key=lambda item: item[0])
    cancelled = set()
    for step in range(20_000):
        while left and left[0][0] <= step:
            request = left.pop(0)[1]
            engine.check(request)
            collect(events, engine.add(request))
        for number, moment in cancels:
            if moment == step and number in events:
                collect(events, engine.cancel(number))
                cancelled.add(number)
        collect(events, engine.step())
        if not left and not engine.has_work:
            break
    else:
        raise AssertionError("the engine does not come to an end")
    for _, request in work:
        got = answer(events[request.request_id])
        want = expected(request, limit)
        end = end_of(events[request.request_id])
        if end.reason == "cancelled":
            assert request.request_id in cancelled
            assert got == want[: len(got)]
            continue
        assert got == want
        assert end.reason == ("stop" if want[-1] == EOS else "length")
        assert end.stats.completion_tokens == len(want)
        assert end.stats.prompt_tokens == len(request.tokens)
    check_books(engine)


def test_a_small_pool_preempts_the_newest_and_the_oldest_is_never_touched() -> None:
    model = FakeModel(n_blocks=8)
    engine = make_engine(model)
    requests = [
        make_request(i, [i + 1] * 40, max_tokens=300, ignore_eos=True, reuse_prefix=False)
        for i in range(4)
    ]
    events = run(engine, requests)
    for request in requests:
        assert len(answer(events[request.request_id])) == 300
    stats = [end_of(events[i]).stats for i in range(4)]
    assert stats[0].preemptions == 0
    assert engine.scheduler.preemptions == sum(s.preemptions for s in stats) > 0


def test_context_borders_and_reported_stop() -> None:
    engine = make_engine(FakeModel(n_blocks=4), context=100)
    prompt = [1] * 99
    engine.check(make_request(0, prompt))
    for length in (100, 101, 1000):
        with pytest.raises(ContextLengthError, match=rf"{length} tokens .* length is 100 "):
            engine.check(make_request(0, [1] * length))
    engine.check(make_request(0, [1] * 100, max_tokens=0))
    with pytest.raises(ContextLengthError):
        engine.check(make_request(0, [1] * 101, max_tokens=0))
    with pytest.raises(ContextLengthError, match="length is 50 "):
        engine.check(make_request(0, [1] * 50, context=50))

    events = run(engine, [make_request(0, prompt), make_request(1, [1] * 60, ignore_eos=True)])
    assert len(answer(events[0])) == 1
    end = end_of(events[1])
    assert (len(answer(events[1])), end.reason, end.cause) == (40, "length", "context")


def test_a_context_larger_than_the_pool_is_cut_to_the_pool() -> None:
    assert make_engine(FakeModel(n_blocks=4), context=10_000).context == 256


@pytest.mark.parametrize("tokens", [[], [-1], [VOCABULARY]])
def test_bad_prompts_are_refused(tokens: list[int]) -> None:
    with pytest.raises(RequestError):
        make_engine(FakeModel()).check(make_request(0, tokens))


def test_bad_parameters_are_refused_before_queueing() -> None:
    engine = make_engine(FakeModel())
    with pytest.raises(RequestError, match="logit_bias"):
        engine.check(make_request(0, [1], logit_bias={N_VALID: 1.0}))


def test_causes_of_the_end() -> None:
    engine = make_engine(FakeModel())
    free = make_request(0, [3, 4], temperature=0, max_tokens=6, ignore_eos=True)
    tokens = answer(run(engine, [free])[0])
    stop = next(t for t in tokens[1:] if t != tokens[0])
    at = tokens.index(stop)
    request = make_request(1, [3, 4], temperature=0, max_tokens=6, stop_token_ids=[stop])
    request.params = SamplingParams(
        temperature=0, seed=1, ignore_eos=True, stop_token_ids=[stop], max_tokens=6
    )
    events = run(engine, [request])[1]
    assert answer(events) == tokens[: at + 1]
    assert (end_of(events).reason, end_of(events).cause) == ("stop", "token")
    forced_end = make_request(2, [3, 4], temperature=0, logit_bias={EOS: 1000.0})
    events = run(engine, [forced_end])[2]
    assert answer(events) == [EOS]
    assert (end_of(events).reason, end_of(events).cause) == ("stop", "eos")


def test_prompt_only() -> None:
    model = FakeModel()
    events = run(make_engine(model), [make_request(0, [1] * 200, max_tokens=0)])[0]
    assert answer(events) == []
    assert end_of(events).reason == "length"
    assert sum(n for step in model.steps for _, n in step) == 200


def test_the_prefix_cache_saves_full_blocks_and_never_the_last_token() -> None:
    model = FakeModel()
    engine = make_engine(model)
    prompt = [i % 50 for i in range(128)]
    counts = []
    for number, tokens in enumerate((prompt, prompt, [*prompt, 9], prompt[:100], [1, *prompt])):
        events = run(engine, [make_request(number, tokens, max_tokens=3, temperature=0)])[number]
        counts.append(end_of(events).stats.cached_tokens)
        assert answer(events) == expected(make_request(0, tokens, max_tokens=3, temperature=0), 999)
    # The third diverges at a border; the fourth ends inside the second block, which is copied.
    assert counts == [0, 127, 128, 99, 0]
    prefix = engine.scheduler.prefix
    assert prefix.hit_tokens == sum(counts)
    assert prefix.queried_tokens == 128 * 2 + 129 + 100 + 129


def test_a_second_turn_computes_only_what_is_new() -> None:
    """The reasoning of the first answer is not in the second prompt; what comes before it is."""
    model = FakeModel()
    engine = make_engine(model)
    first = [i % 40 for i in range(200)]
    run(engine, [make_request(0, first, max_tokens=100, ignore_eos=True)])
    second = first + [41, 42] + [43] * 30
    events = run(engine, [make_request(1, second, max_tokens=2)])[1]
    assert end_of(events).stats.cached_tokens == 200
    assert sum(count for _, count in model.steps[-2]) == 32
    assert answer(events) == expected(make_request(1, second, max_tokens=2), 9999)


def test_requests_at_the_same_time_share_blocks() -> None:
    """Four answers to one prompt: it is computed once, and all stand on the same blocks."""
    model = FakeModel(n_blocks=32, max_step_tokens=100)
    engine = make_engine(model)
    prompt = [7] * 300
    requests = [make_request(i, prompt, max_tokens=60, choice=i, ignore_eos=True) for i in range(4)]
    for request in requests:
        engine.add(request)
    events: dict[int, list[Event]] = {i: [] for i in range(4)}
    while not all(answer(e) for e in events.values()):
        collect(events, engine.step())
    tables = [list(s.table.blocks[:4]) for s in engine.scheduler.running]
    assert tables == [tables[0]] * 4
    computed = sum(count for step in model.steps for _, count in step if count > 8)
    assert computed < 300 + 3 * 64
    while engine.has_work:
        collect(events, engine.step())
    assert [end_of(events[i]).stats.cached_tokens for i in range(4)] == [0, 256, 256, 256]
    for request in requests:
        assert len(answer(events[request.request_id])) == 60


def test_prompt_logits_arrive_for_every_token() -> None:
    model = FakeModel(max_logit_rows=10)
    engine = make_engine(model)
    prompt = [i % 50 for i in range(130)]
    request = make_request(0, prompt, max_tokens=0, prompt_logits=True)
    events = run(engine, [request, make_request(1, [4] * 30, max_tokens=20)])[0]
    got = np.full((130, VOCABULARY), np.nan, np.float32)
    for event in events:
        if isinstance(event, PromptLogits):
            got[event.start : event.start + len(event.rows)] = event.rows
    for i in range(130):
        assert (got[i] == prefix_logits(np.array(prompt[: i + 1]))).all()


def test_progress_is_reported_per_chunk_and_counts_cached_tokens() -> None:
    engine = make_engine(FakeModel(max_step_tokens=64))
    prompt = [i % 50 for i in range(200)]
    run(engine, [make_request(0, prompt[:64], max_tokens=1)])
    events = run(engine, [make_request(1, prompt, max_tokens=1)])[1]
    progress = [(e.done, e.total, e.cached) for e in events if isinstance(e, Prefill)]
    assert progress == [(128, 200, 64), (192, 200, 64), (200, 200, 64)]


def test_running_answers_get_a_token_in_every_step_beside_a_long_prompt() -> None:
    model = FakeModel(n_blocks=64, max_step_tokens=512)
    time = iter(range(0, 10**15, 10_000_000))
    engine = make_engine(model, clock=lambda: next(time))
    events: dict[int, list[Event]] = {0: [], 1: [], 2: []}
    collect(events, engine.add(make_request(0, [1] * 30, ignore_eos=True, max_tokens=400)))
    for _ in range(4):
        collect(events, engine.step())
    collect(events, engine.add(make_request(1, [2] * 2000, max_tokens=1)))
    collect(events, engine.add(make_request(2, [3] * 30, max_tokens=1)))
    before = len(answer(events[0]))
    steps = 0
    while not answer(events[2]):
        collect(events, engine.step())
        steps += 1
        assert len(answer(events[0])) == before + steps
    done = max(e.done for e in events[1] if isinstance(e, Prefill))
    assert done < 2000  # the short prompt did not wait for the long one
    assert done >= 8 * steps // 2  # and the long one did not stand still


def test_the_last_message_tells_who_waits() -> None:
    engine = make_engine(FakeModel(), max_running=1)
    assert engine.add(make_request(0, [1])) == []
    assert engine.add(make_request(1, [1])) == [Queued(1)]
    (event,) = engine.add(make_request(1, [2]))
    assert isinstance(event, Failed)
    assert "in use" in str(event.error)


def test_fast_models_deliver_tokens_in_groups_and_lose_none() -> None:
    model = FakeModel()
    time = iter(range(10**9, 10**15, 100_000))
    engine = make_engine(model, clock=lambda: next(time))
    request = make_request(0, [1, 2], max_tokens=60, ignore_eos=True)
    events = run(engine, [request])[0]
    assert answer(events) == reference_answer(
        [1, 2], request.params.filled(DEFAULTS), 9999, eos=True
    )
    groups = [len(e.ids) for e in events if isinstance(e, Tokens)]
    assert groups[0] == 1
    assert 1 < max(groups[1:-1]) <= 20


def test_fail_all_tells_everybody_and_leaves_a_clean_engine() -> None:
    engine = make_engine(FakeModel())
    for i in range(3):
        engine.add(make_request(i, [1] * 100))
    engine.step()
    events = engine.fail_all(EngineError("broken"))
    assert {e.request_id for e in events} == {0, 1, 2}
    assert not engine.has_work
    check_books(engine)
    request = make_request(9, [1] * 100, max_tokens=4)
    assert answer(run(engine, [request])[9]) == expected(request, 9999)


def test_time_runs_out_in_every_phase() -> None:
    """While a prompt is evaluated, between tokens, and for a sequence that was put back."""
    now = [1]
    model = FakeModel(n_blocks=40, max_step_tokens=64)
    engine = make_engine(model, clock=lambda: now[0])
    long = make_request(1, [1] * 900, ignore_eos=True)
    short = make_request(2, [2] * 10, ignore_eos=True)
    free = make_request(3, [3] * 10, max_tokens=5)
    for request in (long, short):
        request.wall_ns = 100
    events: dict[int, list[Event]] = {n: [] for n in (1, 2, 3)}
    for request in (long, short, free):
        collect(events, engine.add(request))
    for _ in range(4):
        collect(events, engine.step())
    assert not answer(events[1])
    assert engine._sequences[2].n_tokens > 10
    engine.scheduler._preempt(engine._sequences[2])
    now[0] = 100
    collect(events, engine.step())
    assert not any(isinstance(event, End) for event in events[1] + events[2])
    now[0] = 101
    collect(events, engine.step())
    for number in (1, 2):
        end = end_of(events[number])
        assert (end.reason, end.cause) == ("length", "deadline")
    now[0] = 10**12
    while engine.has_work:
        collect(events, engine.step())
    assert end_of(events[3]).cause in ("limit", "eos")
    assert engine.scheduler.pool.free + engine.scheduler.prefix.evictable() == model.n_blocks


def test_who_shares_no_scope_shares_no_cache() -> None:
    """The count of cached tokens and the work say nothing of what other scopes sent."""
    model = FakeModel()
    engine = make_engine(model)
    prompt = list(range(50)) * 6
    cached = {}
    for number, scope in enumerate(("a", "b", "", "a", "b")):
        request = make_request(number, prompt, max_tokens=3)
        request.cache_scope = scope
        before = engine.counters.evaluated_tokens
        events = run(engine, [request])[number]
        assert answer(events) == expected(request, 9999)
        cached.setdefault(scope, []).append(end_of(events).stats.cached_tokens)
        evaluated = engine.counters.evaluated_tokens - before
        assert evaluated == len(prompt) + 2 - cached[scope][-1]
    assert [values[0] for values in cached.values()] == [0, 0, 0]
    assert all(values[1] >= 256 for scope, values in cached.items() if scope)
    # Also at the same moment.
    twins = [make_request(10 + n, [7] * 300, max_tokens=1) for n in range(2)]
    twins[1].cache_scope = "other"
    events = run(engine, twins)
    assert all(end_of(events[twin.request_id]).stats.cached_tokens == 0 for twin in twins)


def test_a_paused_answer_waits_and_goes_on_as_if_nothing_had_been() -> None:
    model = FakeModel()
    engine = make_engine(model)
    requests = [make_request(n, [n] * 40, max_tokens=30, ignore_eos=True) for n in range(3)]
    events: dict[int, list[Event]] = {n: [] for n in range(3)}
    for request in requests:
        collect(events, engine.add(request))
    for _ in range(5):
        collect(events, engine.step())
    for number in (0, 1):
        engine.pause(number, True)
        engine.pause(number, True)
    engine.pause(99, True)
    known = engine._sequences[0].n_tokens
    while engine.has_work:
        collect(events, engine.step())
    assert answer(events[2]) == expected(requests[2], 9999)
    assert engine._sequences[0].n_tokens == known
    assert engine.step() == []
    collect(events, engine.cancel(1))
    assert not engine.has_work
    engine.pause(0, False)
    while engine.has_work:
        collect(events, engine.step())
    assert answer(events[0]) == expected(requests[0], 9999)
    assert end_of(events[1]).reason == "cancelled"
    # What failed while it was paused leaves nothing behind.
    engine.add(make_request(7, [7] * 40))
    engine.pause(7, True)
    assert not engine.has_work
    engine.fail_all(EngineError("no"))
    assert answer(run(engine, [make_request(8, [8] * 40, max_tokens=3)])[8])
