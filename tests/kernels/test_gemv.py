"""GEMV: the contract in NumPy for scalar, scalar for every other level."""

from __future__ import annotations

import numpy as np
import pytest

from pyinfer._kernels.kernels import FORMATS, Kernels, format_info

from . import contract
from .bits import assert_same_bits
from .file_blocks import F16_FIELDS, parts_of
from .weights import QUANTIZED, activations, filled_rows, random_rows, whole


@pytest.mark.parametrize("n_cols", [128, 384])
@pytest.mark.parametrize("fmt", FORMATS)
def test_scalar_follows_the_contract(
    scalar: Kernels, rng: np.random.Generator, fmt: str, n_cols: int
) -> None:
    n_cols = whole(fmt, n_cols)
    rows = random_rows(rng, fmt, 48, n_cols)
    x = rng.standard_normal((5, n_cols), dtype=np.float32)
    panels = scalar.pack(fmt, rows, n_cols)
    found = scalar.gemv(fmt, panels, activations(scalar, fmt, x))
    assert_same_bits(found, contract.multiply(fmt, rows, x))


@pytest.mark.parametrize("n_cols", [128, 256, 640, 2304])
@pytest.mark.parametrize("n_rows", [16, 64, 208])
@pytest.mark.parametrize("fmt", FORMATS)
def test_every_level_gives_scalar_bits(
    kernels: Kernels, scalar: Kernels, rng: np.random.Generator, fmt: str, n_rows: int, n_cols: int
) -> None:
    n_cols = whole(fmt, n_cols)
    panels = scalar.pack(fmt, random_rows(rng, fmt, n_rows, n_cols), n_cols)
    x = rng.standard_normal((8, n_cols), dtype=np.float32)
    expected = scalar.gemv(fmt, panels, activations(scalar, fmt, x))
    for n_tokens in range(1, 9):
        part = activations(kernels, fmt, x[:n_tokens].copy())
        for n_streams in (1, 2, 4):
            if panels.shape[0] % n_streams == 0:
                found = kernels.gemv(fmt, panels, part, n_streams, 1024, 4096)
                assert_same_bits(found, expected[:n_tokens])


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("byte", [0x00, 0x7F, 0x80, 0x88, 0xFF])
@pytest.mark.parametrize("fmt", QUANTIZED)
def test_largest_sums_do_not_saturate(
    kernels: Kernels, rng: np.random.Generator, fmt: str, byte: int, sign: float
) -> None:
    rows = filled_rows(fmt, byte, 0.5, 32, 256)
    x = np.full((2, 256), sign, dtype=np.float32)
    x[1] *= np.where(rng.random(256) < 0.5, -1, 1)
    found = kernels.gemv(fmt, kernels.pack(fmt, rows, 256), activations(kernels, fmt, x))
    w = parts_of(fmt, rows).values()
    np.testing.assert_allclose(found, x @ w.T, rtol=1e-5, atol=1e-5 * np.abs(w).sum(axis=1).max())
    assert_same_bits(found, contract.multiply(fmt, rows, x))


@pytest.mark.parametrize("fmt", FORMATS)
def test_extreme_activations(
    kernels: Kernels, scalar: Kernels, rng: np.random.Generator, fmt: str
) -> None:
    x = rng.standard_normal((8, 256), dtype=np.float32)
    x[0] = 0
    x[1, 40] = 1e30
    x[2] *= 1e-20
    x[3] *= np.float32(1e-40)
    x[4, :32] = -0.0
    x[5, 7] = 1e37
    rows = random_rows(rng, fmt, 32, 256)
    panels = scalar.pack(fmt, rows, 256)
    expected = scalar.gemv(fmt, panels, activations(scalar, fmt, x))
    assert_same_bits(kernels.gemv(fmt, panels, activations(kernels, fmt, x)), expected)
    assert_same_bits(expected, contract.multiply(fmt, rows, x))
    assert not expected[[0, 3]].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("fmt", FORMATS)
def test_a_bad_activation_surfaces_in_its_token_only(
    kernels: Kernels, rng: np.random.Generator, fmt: str, bad: float
) -> None:
    x = rng.standard_normal((3, 256), dtype=np.float32)
    x[1, 77] = bad
    panels = kernels.pack(fmt, random_rows(rng, fmt, 16, 256), 256)
    found = kernels.gemv(fmt, panels, activations(kernels, fmt, x))
    assert not np.isfinite(found[1]).any()
    assert np.isfinite(found[[0, 2]]).all()


@pytest.mark.parametrize("scale", [0.0, 6e-8, 6.1e-5, 65504.0, np.nan, np.inf])
@pytest.mark.parametrize("fmt", FORMATS)
def test_extreme_weight_scales(
    kernels: Kernels, scalar: Kernels, rng: np.random.Generator, fmt: str, scale: float
) -> None:
    rows = random_rows(rng, fmt, 16, 256)
    if format_info(fmt).quantized:
        blocks = rows.reshape(16, -1, format_info(fmt).block_bytes)
        for at in F16_FIELDS[fmt]:
            blocks[3, -1, at : at + 2] = np.array([scale], dtype=np.float16).view(np.uint8)
    else:
        value = np.zeros((1, 256), dtype=np.float32)
        value[0, 50:60] = scale
        rows[3] = scalar.quantize(fmt, value)[0]
    x = rng.standard_normal((2, 256), dtype=np.float32)
    panels = scalar.pack(fmt, rows, 256)
    expected = scalar.gemv(fmt, panels, activations(scalar, fmt, x))
    assert_same_bits(kernels.gemv(fmt, panels, activations(kernels, fmt, x)), expected)
    assert_same_bits(expected, contract.multiply(fmt, rows, x))
    assert np.isfinite(expected[:, 3]).all() == np.isfinite(scale)
    assert np.isfinite(np.delete(expected, 3, axis=1)).all()
