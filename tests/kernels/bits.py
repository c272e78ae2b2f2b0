"""Comparison of float arrays bit by bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assert_same_bits(found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Require equal shapes and bits; a NaN equals any other NaN."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype == np.float32
    nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(found), nan)
    np.testing.assert_array_equal(found.view(np.uint32)[~nan], expected.view(np.uint32)[~nan])
