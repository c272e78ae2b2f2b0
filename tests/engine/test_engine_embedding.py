"""Requests for the hidden state of a prompt."""

from __future__ import annotations

import numpy as np

from pyinfer.engine.messages import Embedding, Failed, Request
from pyinfer.engine.params import SamplingParams
from pyinfer.errors import NumericError

from .driver import answer, end_of, make_engine, run
from .fake_model import FakeModel


class HiddenModel(FakeModel):
    """Its hidden state is the sum of all tokens up to the row."""

    broken = False

    def step(self, spans, cancel=None):
        rows = super().step(spans, cancel)
        self.states = [
            float(self.prefix(span, place + 1).sum())
            for span in spans
            for place in range(len(span.tokens))
        ]
        return rows

    def prefix(self, span, count: int) -> np.ndarray:
        return np.arange(span.start + count)

    def hidden(self, row: int) -> np.ndarray:
        value = np.nan if self.broken else self.states[row]
        return np.full(3, value, np.float32)


def _request(number: int, length: int, *, embed: bool = True) -> Request:
    rng = np.random.default_rng(number)
    return Request(
        request_id=number,
        tokens=rng.integers(0, 50, length).astype(np.int32),
        params=SamplingParams(max_tokens=0 if embed else 20, temperature=0),
        embed=embed,
    )


def test_one_vector_per_request_beside_running_answers() -> None:
    engine = make_engine(HiddenModel())
    lengths = {1: 300, 3: 1, 4: 64, 5: 130}
    requests = [_request(number, length) for number, length in lengths.items()]
    events = run(engine, [_request(2, 40, embed=False), *requests])
    for number, length in lengths.items():
        vectors = [event.vector for event in events[number] if isinstance(event, Embedding)]
        assert [vector.tolist() for vector in vectors] == [[length * (length - 1) / 2] * 3]
        assert end_of(events[number]).reason == "length"
        assert answer(events[number]) == []
    assert not any(isinstance(event, Embedding) for event in events[2])
    assert len(answer(events[2])) > 0


def test_a_prompt_that_is_known_is_computed_at_its_end() -> None:
    engine = make_engine(HiddenModel())
    first, again = _request(1, 256), _request(1, 256)
    run(engine, [first])
    again.request_id = 2
    events = run(engine, [again])
    assert end_of(events[2]).stats.cached_tokens > 0
    vectors = [event.vector for event in events[2] if isinstance(event, Embedding)]
    assert [vector[0] for vector in vectors] == [256 * 255 / 2]


def test_not_a_number() -> None:
    model = HiddenModel()
    model.broken = True
    events = run(make_engine(model), [_request(1, 10)])
    assert isinstance(events[1][-1], Failed)
    assert isinstance(events[1][-1].error, NumericError)
