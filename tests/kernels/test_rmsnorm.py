"""RMSNorm: the contract's lanes and tree, and the formula in float64."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pyinfer._kernels.kernels import Kernels

from . import contract
from .bits import assert_same_bits

EPS = np.float32(1e-6)


def by_contract(x: NDArray[np.float32], w: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """16 lanes of squares by fma, the tree, then x * inverse * w."""
    lanes = np.zeros(16, dtype=np.float32)
    for chunk in x.reshape(-1, 16):
        lanes = contract.fma(chunk, chunk, lanes)
    mean = contract.tree_sum(lanes) / np.float32(n)
    inverse = np.float32(1) / np.sqrt(mean + EPS)
    return contract.flushed(contract.flushed(x * inverse) * w)


@pytest.mark.parametrize("n", [8, 16, 40, 512, 896, 1536, 5120])
def test_bits_and_values(kernels: Kernels, rng: np.random.Generator, n: int) -> None:
    padded = -(-n // 16) * 16
    x = np.zeros(padded, dtype=np.float32)
    x[:n] = rng.standard_normal(n, dtype=np.float32) * 3
    w = rng.standard_normal(padded, dtype=np.float32)
    found = kernels.rmsnorm(x, w, EPS, n)
    assert_same_bits(found, by_contract(x, w, n))
    exact = x[:n].astype(np.float64)
    expected = exact / np.sqrt(np.mean(exact**2) + 1e-6) * w[:n]
    np.testing.assert_allclose(found[:n], expected, rtol=2e-6)


def test_many_vectors_give_the_contract_bits(kernels: Kernels, rng: np.random.Generator) -> None:
    """One vector seldom shows a different rounding of the square sum in its output."""
    w = np.ones(256, dtype=np.float32)
    for _ in range(60):
        x = rng.standard_normal(256, dtype=np.float32)
        assert_same_bits(kernels.rmsnorm(x, w, EPS), by_contract(x, w, 256))


def test_a_bad_value_surfaces_everywhere(kernels: Kernels) -> None:
    x, w = np.ones((2, 64), dtype=np.float32)
    x[40] = np.nan
    assert np.isnan(kernels.rmsnorm(x, w, 1e-6)).all()


def test_zeros_stay_zeros(kernels: Kernels) -> None:
    zeros = np.zeros(32, dtype=np.float32)
    assert not kernels.rmsnorm(zeros, zeros + 1, 1e-6).any()
