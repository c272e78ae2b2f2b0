"""The least time of a step: counted by hand, and against the weights of a real shape."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pyinfer.config import ModelConfig
from pyinfer.diagnose.limits import Limits
from pyinfer.diagnose.roofline import Workload, matrix_shapes, parameter_count, workload

LIMITS = Limits(read=1000.0, int8=100.0, f32=10.0)
WORK = Workload(
    weight_bytes=500,
    kv_bytes=4.0,
    body_int8=20,
    body_f32=0,
    head_int8=5,
    head_f32=0,
    attention=1,
)
CONFIG = ModelConfig(
    architecture="qwen2",
    vocab_size=151936,
    hidden_size=1536,
    intermediate_size=8960,
    n_layers=28,
    n_heads=12,
    n_kv_heads=2,
    head_dim=128,
    rms_norm_eps=1e-6,
    rope_theta=1e4,
    rope_scaling=None,
    max_position=131072,
    tie_embeddings=False,
    name="1.5b",
)


def test_one_token_is_bound_by_reading() -> None:
    # 500 bytes of weights and 11 cached tokens of 4; multiplying takes 0.5 s + 2.2 s less.
    work = replace(WORK, attention=0)
    assert work.step_seconds(LIMITS, tokens=1, depth=10) == pytest.approx(544 / 1000)
    slow_multiply = replace(LIMITS, int8=10.0)
    assert work.step_seconds(slow_multiply, tokens=1, depth=10) == pytest.approx(2 * 25 / 10)


def test_a_prompt_is_bound_by_multiplying() -> None:
    # Queries 0, 1, 2 after 10 cached tokens see 11, 12 and 13 tokens.
    expected = 2 * ((3 * 20 + 5) / 100 + (11 + 12 + 13) / 10)
    assert WORK.step_seconds(LIMITS, tokens=3, depth=10) == pytest.approx(expected)
    assert WORK.step_seconds(LIMITS, 3, 10, sequences=2) == pytest.approx(2 * expected)


def test_a_prompt_in_steps_reads_the_weights_in_each() -> None:
    work = replace(WORK, attention=0, body_int8=0, head_int8=0)
    assert work.prompt_seconds(LIMITS, 4, 0, 1, chunk=4) == pytest.approx((500 + 16) / 1000)
    expected = (2 * 500 + 3 * 4 + 4 * 4) / 1000
    assert work.prompt_seconds(LIMITS, 4, 0, 1, chunk=3) == pytest.approx(expected)
    assert work.decode_seconds(LIMITS, 2, 7, 3) == pytest.approx((1000 + 3 * 4 * (8 + 9)) / 1000)


def test_counts_of_the_published_shape() -> None:
    """The counts that the model's authors publish: 1.54 G with one embedding, 1.31 G without."""
    formats = dict.fromkeys(matrix_shapes(CONFIG), "q4_0")
    work = workload(CONFIG, formats, weight_bytes=868_257_792, kv_bytes=28 * 1024)
    assert round(work.body_int8 / 1e9, 2) == 1.31
    assert round((work.body_int8 + work.head_int8) / 1e9, 2) == 1.54
    assert work.body_f32 == work.head_f32 == 0
    assert work.attention == 2 * 28 * 12 * 128
    assert round(parameter_count(CONFIG) / 1e9, 3) == 1.777
    assert round(parameter_count(replace(CONFIG, tie_embeddings=True)) / 1e9, 3) == 1.544


def test_each_format_counts_for_its_multiplier() -> None:
    tied = replace(CONFIG, tie_embeddings=True)
    formats = dict.fromkeys(matrix_shapes(tied), "bf16") | {"model.embed_tokens.weight": "q8_0"}
    work = workload(tied, formats, 1, 1.0)
    assert work.body_int8 == work.head_f32 == 0
    assert work.head_int8 == 151936 * 1536
    assert round(work.body_f32 / 1e9, 2) == 1.31
