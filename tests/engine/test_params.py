"""Sampling parameters: every limit at its border and one past it."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest

from pyinfer.config import GenerationDefaults
from pyinfer.engine.params import SamplingParams
from pyinfer.errors import RequestError

ACCEPTED: list[tuple[str, Any]] = [
    ("temperature", 0),
    ("temperature", 2.0),
    ("temperature", np.float32(0.5)),
    ("top_p", 0.0),
    ("top_p", 1),
    ("min_p", 1.0),
    ("typical_p", 1e-9),
    ("top_k", -1),
    ("top_k", np.int64(7)),
    ("repetition_penalty", 1e-6),
    ("repetition_penalty", 100),
    ("presence_penalty", -2),
    ("presence_penalty", 2),
    ("frequency_penalty", -2.0),
    ("frequency_penalty", 2.0),
    ("repeat_last_n", -1),
    ("repeat_last_n", 0),
    ("seed", -1),
    ("seed", 2**64 - 1),
    ("max_tokens", 0),
    ("min_tokens", 5),
    ("logprobs", 0),
    ("logprobs", 20),
    ("stop", "x" * 256),
    ("stop", ["a"] * 16),
    ("stop_token_ids", [0, 5]),
    ("logit_bias", dict.fromkeys(range(1024), 1.0)),
    ("logit_bias", {3: -math.inf}),
    ("samplers", ["top_p", "temperature"]),
    ("ignore_eos", True),
]

REFUSED: list[tuple[str, Any]] = [
    ("temperature", -0.01),
    ("temperature", math.nan),
    ("temperature", math.inf),
    ("temperature", 10**400),
    ("temperature", "hot"),
    ("temperature", True),
    ("top_p", -0.01),
    ("top_p", 1.01),
    ("min_p", 1.01),
    ("min_p", None.__class__),
    ("typical_p", 0.0),
    ("top_k", -2),
    ("top_k", 1.5),
    ("repetition_penalty", 0),
    ("repetition_penalty", 100.5),
    ("presence_penalty", 2.01),
    ("presence_penalty", -2.01),
    ("frequency_penalty", 2.01),
    ("frequency_penalty", -2.01),
    ("repeat_last_n", -2),
    ("seed", 2**64),
    ("seed", "7"),
    ("max_tokens", -2),
    ("max_tokens", 1.0),
    ("min_tokens", -1),
    ("logprobs", 21),
    ("logprobs", -1),
    ("stop", "x" * 257),
    ("stop", "é" * 129),
    ("stop", ["a"] * 17),
    ("stop", [""]),
    ("stop", ["\ud800"]),
    ("stop", [3]),
    ("stop", 3),
    ("stop_token_ids", [-1]),
    ("stop_token_ids", "12"),
    ("stop_token_ids", list(range(1025))),
    ("logit_bias", dict.fromkeys(range(1025), 1.0)),
    ("logit_bias", {3: math.nan}),
    ("logit_bias", {3: math.inf}),
    ("logit_bias", {"3": 1.0}),
    ("logit_bias", [3]),
    ("samplers", "top_p"),
    ("samplers", ["top_q"]),
    ("samplers", ["top_p", "top_p"]),
    ("samplers", ["top_p", "penalties"]),
    ("ignore_eos", 1),
]


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_values_at_the_limit_are_accepted(name: str, value: Any) -> None:
    SamplingParams(**{name: value})


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_values_past_the_limit_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(RequestError) as caught:
        SamplingParams(**{name: value})
    assert caught.value.param == name
    assert str(caught.value).startswith(name)
    assert len(str(caught.value)) < 200


def test_the_error_survives_pickling_with_its_parameter() -> None:
    with pytest.raises(RequestError) as caught:
        SamplingParams(top_p=2)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.param) == (str(caught.value), "top_p")


def test_none_takes_the_default_of_the_model_and_zero_does_not() -> None:
    defaults = GenerationDefaults(temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.05)
    filled = SamplingParams().filled(defaults)
    assert (filled.temperature, filled.top_p, filled.top_k) == (0.7, 0.8, 20)
    assert filled.repetition_penalty == 1.05
    given = SamplingParams(temperature=0, top_p=1, top_k=0, repetition_penalty=1).filled(defaults)
    assert (given.temperature, given.top_p, given.top_k, given.repetition_penalty) == (0, 1, 0, 1)
    assert given.greedy


def test_a_seed_is_drawn_once_and_kept() -> None:
    defaults = GenerationDefaults()
    drawn = [SamplingParams(seed=s).filled(defaults).seed for s in (None, -1)]
    assert all(s is not None and s >= 0 for s in drawn)
    assert drawn[0] != drawn[1]
    assert SamplingParams(seed=5).filled(defaults).seed == 5


def test_token_ids_beyond_the_vocabulary_are_refused() -> None:
    SamplingParams(logit_bias={9: 1.0}, stop_token_ids=[9]).check_vocabulary(10)
    for params in (SamplingParams(logit_bias={10: 1.0}), SamplingParams(stop_token_ids=[10])):
        with pytest.raises(RequestError, match="below 10"):
            params.check_vocabulary(10)


def test_parameters_are_picklable() -> None:
    params = SamplingParams(stop=["a"], logit_bias={1: 2.0}, seed=3)
    assert pickle.loads(pickle.dumps(params)) == params


def test_no_limit_wins_over_that_of_a_file() -> None:
    assert SamplingParams(max_tokens=-1).over(SamplingParams(max_tokens=5)).max_tokens == 1 << 31
    assert SamplingParams().over(SamplingParams(max_tokens=5)).max_tokens == 5
