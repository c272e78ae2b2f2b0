"""One row of a packed matrix as f32."""

from __future__ import annotations

import numpy as np
import pytest

from pyinfer._kernels.kernels import FORMATS, Kernels

from .bits import assert_same_bits
from .weights import random_rows, whole


@pytest.mark.parametrize("n_cols", [128, 192, 640])
@pytest.mark.parametrize("fmt", FORMATS)
def test_rows_equal_dequantized_rows(
    kernels: Kernels, rng: np.random.Generator, fmt: str, n_cols: int
) -> None:
    n_cols = whole(fmt, n_cols)
    rows = random_rows(rng, fmt, 37, n_cols)
    panels = kernels.pack(fmt, rows, n_cols)
    expected = kernels.dequantize(fmt, rows)
    for row in range(37):
        found = kernels.embed(fmt, panels, row)
        assert_same_bits(found[:n_cols], expected[row])
        assert not found[n_cols:].any()
