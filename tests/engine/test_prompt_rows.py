"""Log-probabilities of prompts, in chunks and again after a sequence was put back."""

from __future__ import annotations

import numpy as np
import pytest

from pyinfer.engine.messages import Event, Failed, PromptLogprobs
from pyinfer.errors import NumericError

from .driver import answer, end_of, expected, make_engine, run
from .fake_model import N_VALID, FakeModel, make_request, prefix_logits


def entries_of(events: list[Event]) -> dict[int, tuple[float, list[tuple[int, float]]]]:
    """Entries by the place of their token, later ones instead of earlier ones."""
    found = {}
    for event in events:
        if isinstance(event, PromptLogprobs):
            found |= dict(enumerate(event.entries, event.start))
    return found


def assert_log_softmax(events: list[Event], prompt: list[int], alternatives: int) -> None:
    found = entries_of(events)
    assert sorted(found) == list(range(1, len(prompt)))
    for place, (chosen, best) in found.items():
        logits = prefix_logits(np.array(prompt[:place]))[:N_VALID].astype(np.float64)
        logprobs = logits - np.log(np.exp(logits).sum())
        assert chosen == pytest.approx(logprobs[prompt[place]], abs=1e-5)
        order = np.argsort(-logprobs, kind="stable")[:alternatives]
        assert [token for token, _ in best] == order.tolist()
        assert [value for _, value in best] == pytest.approx(logprobs[order], abs=1e-5)


@pytest.mark.parametrize("max_tokens", [0, 3])
def test_every_token_but_the_first_has_an_entry(max_tokens: int) -> None:
    engine = make_engine(FakeModel(max_logit_rows=10))
    prompt = [i % 50 for i in range(130)]
    run(engine, [make_request(7, prompt, max_tokens=1)])  # the cache must not hide rows
    request = make_request(0, prompt, max_tokens=max_tokens, prompt_logprobs=3)
    events = run(engine, [request, make_request(1, [4] * 30, max_tokens=20)])
    assert_log_softmax(events[0], prompt, 3)
    assert answer(events[0]) == expected(request, engine.context)
    assert end_of(events[0]).stats.cached_tokens == 0


def test_a_prompt_of_one_token_has_no_entry_but_an_event() -> None:
    events = run(make_engine(FakeModel()), [make_request(0, [3], max_tokens=1, prompt_logprobs=0)])
    (event,) = [event for event in events[0] if isinstance(event, PromptLogprobs)]
    assert (event.start, event.entries) == (1, [])


def test_sequences_that_were_put_back_tell_the_same_again() -> None:
    engine = make_engine(FakeModel(n_blocks=8, max_logit_rows=40))
    prompts = [[(i + k) % 50 for k in range(70)] for i in range(4)]
    requests = [
        make_request(i, prompt, max_tokens=200, ignore_eos=True, prompt_logprobs=1)
        for i, prompt in enumerate(prompts)
    ]
    events = run(engine, requests)
    assert engine.scheduler.preemptions > 0
    for number, prompt in enumerate(prompts):
        assert_log_softmax(events[number], prompt, 1)
        assert len(answer(events[number])) == 200


@pytest.mark.parametrize("wanted", [{"prompt_logprobs": 0}, {"prompt_logits": True}])
def test_rows_that_are_not_finite_end_the_request(wanted: dict[str, int]) -> None:
    model = FakeModel(max_logit_rows=10)
    model.spoil = lambda span: span.start >= 20
    events = run(make_engine(model), [make_request(0, [1] * 60, max_tokens=0, **wanted)])[0]
    assert isinstance(events[-1], Failed)
    assert isinstance(events[-1].error, NumericError)
