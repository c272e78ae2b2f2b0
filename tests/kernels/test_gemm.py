"""GEMM: the same bits as GEMV, token by token, in one pass or in several."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from pyinfer._kernels.kernels import FORMATS, Kernels

from . import contract
from .bits import assert_same_bits
from .weights import activations, random_rows, whole


@pytest.mark.parametrize("fmt", FORMATS)
def test_scalar_follows_the_contract(scalar: Kernels, rng: np.random.Generator, fmt: str) -> None:
    rows = random_rows(rng, fmt, 32, 256)
    x = rng.standard_normal((16, 256), dtype=np.float32)
    found = scalar.gemm(fmt, scalar.pack(fmt, rows, 256), activations(scalar, fmt, x, 8))
    assert_same_bits(found, contract.multiply(fmt, rows, x))


@pytest.mark.parametrize("n_cols", [128, 384, 2304])
@pytest.mark.parametrize("n_rows", [16, 48, 208])
@pytest.mark.parametrize("fmt", FORMATS)
def test_gemm_equals_scalar_gemv(
    kernels: Kernels, scalar: Kernels, rng: np.random.Generator, fmt: str, n_rows: int, n_cols: int
) -> None:
    n_cols = whole(fmt, n_cols)
    panels = scalar.pack(fmt, random_rows(rng, fmt, n_rows, n_cols), n_cols)
    x = rng.standard_normal((24, n_cols), dtype=np.float32)
    expected = [
        scalar.gemv(fmt, panels, activations(scalar, fmt, x[t : t + 8].copy())) for t in (0, 8, 16)
    ]
    for n_tiles in (1, 2, 3):
        part = activations(kernels, fmt, x[: 8 * n_tiles].copy(), 8)
        found = kernels.gemm(fmt, panels, part)
        assert_same_bits(found, np.concatenate(expected[:n_tiles]))


@pytest.mark.parametrize("borders", [(0, 1, 6), (0, 2, 3, 6), (0, 5, 6)])
@pytest.mark.parametrize("fmt", FORMATS)
def test_several_passes_equal_one(
    kernels: Kernels, rng: np.random.Generator, fmt: str, borders: tuple[int, ...]
) -> None:
    step = whole(fmt, 128) // 128  # groups that cannot be parted
    n_cols = 768 * step
    panels = kernels.pack(fmt, random_rows(rng, fmt, 64, n_cols), n_cols)
    x = activations(kernels, fmt, rng.standard_normal((16, n_cols), dtype=np.float32), 8)
    out = np.full((16, 64), np.nan, dtype=np.float32)
    for first, last in pairwise(step * border for border in borders):
        kernels.gemm(fmt, panels, x, first, last - first, first > 0, out)
    assert_same_bits(out, kernels.gemm(fmt, panels, x))


@pytest.mark.parametrize("fmt", FORMATS)
def test_missing_tokens_of_the_last_tile_leave_the_others_alone(
    kernels: Kernels, rng: np.random.Generator, fmt: str
) -> None:
    panels = kernels.pack(fmt, random_rows(rng, fmt, 16, 256), 256)
    x = rng.standard_normal((8, 256), dtype=np.float32)
    full = kernels.gemm(fmt, panels, activations(kernels, fmt, x, 8))
    x[3:] = 0
    part = kernels.gemm(fmt, panels, activations(kernels, fmt, x, 8))
    assert_same_bits(part[:3], full[:3])
    assert not part[3:].any()


@pytest.mark.parametrize("fmt", FORMATS)
def test_nan_and_inf_surface_in_their_token_only(
    kernels: Kernels, rng: np.random.Generator, fmt: str
) -> None:
    panels = kernels.pack(fmt, random_rows(rng, fmt, 32, 256), 256)
    x = rng.standard_normal((16, 256), dtype=np.float32)
    x[2, 200] = np.nan
    x[11, 3] = -np.inf
    found = kernels.gemm(fmt, panels, activations(kernels, fmt, x, 8))
    bad = ~np.isfinite(found).all(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(bad), [2, 11])
    assert not np.isfinite(found[bad]).any()
