"""Activation quantization: the contract's scales and values on every level."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pyinfer._kernels.kernels import Kernels

from . import contract


def fields(a8: NDArray[np.uint8]) -> tuple[NDArray[np.int8], NDArray[np.float32], ...]:
    """Return values (..., 4, 32), then scale, scale * sum, both starts (..., 4)."""
    values = a8[..., :128].copy().view(np.int8).reshape(*a8.shape[:-1], 4, 32)
    rest = [a8[..., 128 + 16 * i : 144 + 16 * i].copy() for i in range(4)]
    floats = [part.view(np.float32) for part in rest[:2]]
    starts = [part.view(np.int32) for part in rest[2:]]
    return (values, *floats, *starts)


def mixed_activations(rng: np.random.Generator) -> NDArray[np.float32]:
    """Tokens of many sizes, with zeros, denormals, ties and outliers."""
    x = rng.standard_normal((24, 384), dtype=np.float32)
    x *= np.float32(10) ** rng.integers(-37, 30, (24, 1)).astype(np.float32)
    x[0] = 0
    x[1] = -0.0
    x[2] = rng.integers(-254, 255, 384) / np.float32(2)
    x[2, ::32] = 127
    x[3, 100] = 1e30
    x[4] *= np.float32(1e-10)
    x[5] = np.where(rng.random(384) < 0.5, np.float32(2.0**-100), np.float32(-(2.0**-101)))
    x[6] = np.float32(2.0**-101)
    x[7] = np.float32(3.4e38) * np.where(rng.random(384) < 0.5, 1, -1)
    return x


def test_values_follow_the_contract(kernels: Kernels, rng: np.random.Generator) -> None:
    x = mixed_activations(rng)
    q, scale, scaled_sum, start_q4, start_q8 = fields(kernels.act_a8(x)[0])
    expected_scale, expected_q = contract.quantized_activations(x)
    expected_q = expected_q.reshape(24, 3, 4, 32).transpose(1, 0, 2, 3)
    expected_scale = expected_scale.reshape(24, 3, 4).transpose(1, 0, 2)
    np.testing.assert_array_equal(q, expected_q)
    np.testing.assert_array_equal(scale.view(np.uint32), expected_scale.view(np.uint32))
    total = expected_q.sum(axis=-1)
    np.testing.assert_array_equal(start_q4, -8 * total)
    np.testing.assert_array_equal(start_q8, -128 * total)
    with np.errstate(over="ignore"):
        product = contract.flushed(expected_scale * total.astype(np.float32))
    np.testing.assert_array_equal(scaled_sum, product)
    assert np.abs(q.astype(int)).max() == 127


@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
def test_a_bad_value_makes_the_scale_of_its_block_nan(
    kernels: Kernels, rng: np.random.Generator, bad: float
) -> None:
    for position in range(32):
        x = rng.standard_normal((1, 128), dtype=np.float32)
        x[0, 64 + position] = bad
        x[0, 64 + (position + 5) % 32] = 3e38
        q, scale, *_ = fields(kernels.act_a8(x)[0])
        np.testing.assert_array_equal(np.isnan(scale[0, 0]), [False, False, True, False])
        assert not q[0, 0, 2].any()


@pytest.mark.parametrize("n_tokens", [1, 7, 8, 9, 17])
def test_tiles_hold_the_same_records(
    kernels: Kernels, rng: np.random.Generator, n_tokens: int
) -> None:
    x = rng.standard_normal((n_tokens, 256), dtype=np.float32)
    single = np.stack([kernels.act_a8(row[None])[0, :, 0] for row in x])
    tiles = kernels.act_a8(x, 8)
    assert tiles.shape == (-(-n_tokens // 8), 2, 8, 192)
    flat = tiles.transpose(0, 2, 1, 3).reshape(-1, 2, 192)
    np.testing.assert_array_equal(flat[:n_tokens], single)
    assert not flat[n_tokens:].any()
