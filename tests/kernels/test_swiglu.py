"""SwiGLU, exp and silu: the contract's bits and errors in units of the last place."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pyinfer._kernels.kernels import Kernels

from . import contract
from .bits import assert_same_bits


def stride_sample() -> NDArray[np.float32]:
    """Every 65,537th float32: all exponents, both signs."""
    bits = np.arange(0, 2**32, 65537, dtype=np.uint64).astype(np.uint32)
    x = bits.view(np.float32)
    return x[np.isfinite(x)].copy()


def silu(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """x / (1 + exp(-x)) by the contract."""
    return contract.flushed(contract.flushed(x) / (np.float32(1) + contract.exp(-x)))


def ulp_error(found: NDArray[np.float32], exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance to the exact value in units of the last place of its float32."""
    spacing = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    return np.abs(found.astype(np.float64) - exact) / spacing


def exp_of(kernels: Kernels, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """exp through head_stats: the sum over (0, x) is 1 + exp(x) in separate lanes of the tree."""
    found = np.empty_like(x)
    for i, value in enumerate(x):
        pair = np.array([0, value], dtype=np.float32)
        found[i] = kernels.head_stats(pair)[1] - np.float32(1)
    return found


@pytest.mark.parametrize("n", [1, 3, 8, 15, 16, 17, 33, 100, 1000])
def test_every_length_gives_the_contract_bits(
    kernels: Kernels, rng: np.random.Generator, n: int
) -> None:
    gate = rng.standard_normal(n, dtype=np.float32) * 20
    up = rng.standard_normal(n, dtype=np.float32)
    assert_same_bits(kernels.swiglu(gate, up), contract.flushed(silu(gate) * up))


def test_sample_of_all_floats_gives_the_contract_bits(kernels: Kernels) -> None:
    x = np.concatenate([stride_sample(), np.linspace(-88, 88, 200001).astype(np.float32)])
    assert_same_bits(kernels.swiglu(x, np.ones_like(x)), silu(x))


def test_silu_error(kernels: Kernels) -> None:
    x = stride_sample()
    x = x[(x > -80) & (np.abs(x) > 1e-30)]
    exact = x.astype(np.float64)
    with np.errstate(over="ignore"):
        exact = exact / (1 + np.exp(-exact))
    normal = np.abs(exact) > 1e-37
    error = ulp_error(kernels.swiglu(x, np.ones_like(x)), exact)[normal]
    assert error.max() <= 4


def test_exp_error(scalar: Kernels) -> None:
    """The NumPy form of exp is within 2 ulp, and the kernels' exp is that form."""
    x = np.linspace(-87, 88, 400001).astype(np.float32)
    assert ulp_error(contract.exp(x), np.exp(x.astype(np.float64))).max() <= 2
    big = np.linspace(-3, 0, 301).astype(np.float32)
    np.testing.assert_allclose(exp_of(scalar, big), np.exp(big), atol=2e-7)


def test_ends_of_the_range(kernels: Kernels) -> None:
    gate = np.array([-np.inf, -1000, -88, 0, -0.0, 88, 1000, np.inf, np.nan], dtype=np.float32)
    found = kernels.swiglu(gate, np.ones_like(gate))
    assert found[5] == 88
    assert found[6] == 1000
    assert found[7] == np.inf
    assert np.isnan(found[8])
    assert not found[3:5].any()
    assert -1e-30 < found[1] <= 0
    assert found[0] == -np.inf or np.isnan(found[0]) or found[0] == 0
