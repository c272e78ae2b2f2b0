"""Searches for scales: never worse than the reference, under any importance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyinfer._kernels.kernels import FORMATS, Kernels

KERNELS = Kernels("scalar")
FITTED = [fmt for fmt in FORMATS if KERNELS.can_fit(fmt)]


def error(fmt: str, blocks: np.ndarray, x: np.ndarray, importance: np.ndarray) -> np.ndarray:
    """Sum of importance * error^2 of each block of 32."""
    back = KERNELS.dequantize(fmt, blocks).astype(np.float64)
    return (importance * (back - x) ** 2).reshape(len(x), -1, 32).sum(axis=2)


def test_formats_with_a_search() -> None:
    assert "q4_0" in FITTED
    assert not KERNELS.can_fit("q8_0")
    with pytest.raises(ValueError, match="no search"):
        KERNELS.fit("q8_0", np.zeros((1, 32), np.float32), np.ones(32, np.float32))
    with pytest.raises(ValueError, match="importance of 31"):
        KERNELS.fit("q4_0", np.zeros((1, 32), np.float32), np.ones(31, np.float32))


@pytest.mark.parametrize("fmt", FITTED)
@pytest.mark.parametrize("weighted", [False, True])
def test_less_error_than_the_reference(fmt: str, weighted: bool) -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((64, 512), dtype=np.float32)
    importance = np.ones(512, np.float32)
    if weighted:
        importance = rng.exponential(1, 512).astype(np.float32) ** 3
    plain = error(fmt, KERNELS.quantize(fmt, x), x, importance)
    fitted = error(fmt, KERNELS.fit(fmt, x, importance), x, importance)
    assert (fitted <= plain * (1 + 1e-6)).all()
    assert fitted.sum() < (0.75 if weighted else 0.92) * plain.sum()


@pytest.mark.parametrize("fmt", FITTED)
@settings(max_examples=80, deadline=None)
@given(
    x=hnp.arrays(np.float32, (1, 64), elements=st.floats(-4, 4, width=32)),
    importance=hnp.arrays(np.float32, 64, elements=st.floats(0, 8, width=32)),
)
def test_never_worse(fmt: str, x: np.ndarray, importance: np.ndarray) -> None:
    weight = importance.reshape(2, 32).copy()
    weight[weight.sum(axis=1) == 0] = 1  # such a block counts all alike
    plain = error(fmt, KERNELS.quantize(fmt, x), x, weight.reshape(-1))
    fitted = error(fmt, KERNELS.fit(fmt, x, importance), x, weight.reshape(-1))
    assert (fitted <= plain * (1 + 1e-5) + 1e-12).all()


@pytest.mark.parametrize("fmt", FITTED)
def test_importance_without_any_is_even(fmt: str) -> None:
    x = np.random.default_rng(4).standard_normal((3, 64), dtype=np.float32)
    even = KERNELS.fit(fmt, x, np.ones(64, np.float32))
    assert np.array_equal(KERNELS.fit(fmt, x, np.zeros(64, np.float32)), even)
    zeros = np.zeros((1, 64), np.float32)
    assert np.array_equal(
        KERNELS.dequantize(fmt, KERNELS.fit(fmt, zeros, np.ones(64, np.float32))), zeros
    )


@pytest.mark.parametrize("fmt", FITTED)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_surfaces(fmt: str, value: float) -> None:
    x = np.random.default_rng(5).standard_normal((1, 64), dtype=np.float32)
    x[0, 40] = value
    back = KERNELS.dequantize(fmt, KERNELS.fit(fmt, x, np.ones(64, np.float32)))
    assert np.isfinite(back[0, :32]).all()
    assert np.isnan(back[0, 32:]).all()


def test_all_inputs_of_a_grid_are_exact() -> None:
    """Weights that are whole multiples of a scale come back as they are."""
    x = (np.arange(32, dtype=np.float32) % 16 - 8)[None] * 0.25
    for sign in (1, -1):
        back = KERNELS.dequantize("q4_0", KERNELS.fit("q4_0", sign * x, np.ones(32, np.float32)))
        assert np.array_equal(back, sign * x)
