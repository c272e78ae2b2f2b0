"""Statistics and selection over chunks of logits."""

from __future__ import annotations

import numpy as np
import pytest

from pyinfer._kernels.kernels import Kernels

from . import contract

LENGTHS = [1, 2, 7, 8, 15, 16, 17, 31, 33, 255, 1000, 1023, 1024]


@pytest.mark.parametrize("n", LENGTHS)
def test_stats(kernels: Kernels, rng: np.random.Generator, n: int) -> None:
    logits = rng.standard_normal(n, dtype=np.float32) * 10
    largest, total, finite = kernels.head_stats(logits)
    assert largest == logits.max()
    assert finite
    padded = np.zeros(-(-n // 16) * 16, dtype=np.float32)
    padded[:n] = contract.exp(logits - logits.max())
    lanes = np.zeros(16, dtype=np.float32)
    for chunk in padded.reshape(-1, 16):
        lanes = lanes + chunk
    assert total == contract.tree_sum(lanes)
    expected = np.exp(logits.astype(np.float64) - logits.max()).sum()
    np.testing.assert_allclose(total, expected, rtol=1e-6)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_logit_is_seen(
    kernels: Kernels, rng: np.random.Generator, n: int, bad: float
) -> None:
    for position in {0, n // 2, n - 1}:
        logits = rng.standard_normal(n, dtype=np.float32)
        logits[position] = bad
        assert not kernels.head_stats(logits)[2]


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("threshold", [-np.inf, -1.0, 0.5, 3.0, np.inf])
def test_selection(kernels: Kernels, rng: np.random.Generator, n: int, threshold: float) -> None:
    logits = np.round(rng.standard_normal(n) * 4).astype(np.float32) / 4
    if n > 3:
        logits[2] = np.nan
    with np.errstate(invalid="ignore"):
        expected = np.flatnonzero(logits >= np.float32(threshold))
    for capacity in (1, 5, 2000):
        found, count = kernels.head_select(logits, threshold, capacity)
        assert count == len(expected)
        np.testing.assert_array_equal(found, expected[:capacity])
