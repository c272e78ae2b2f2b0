"""File formats: the gguf package's bytes, on every level."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from pyinfer._kernels.kernels import FILE_FORMATS, Kernels, format_info

from .bits import assert_same_bits
from .file_blocks import F16_FIELDS

GGUF_TYPES = {fmt: gguf.GGMLQuantizationType[fmt.upper()] for fmt in FILE_FORMATS}
QUANTIZED = [fmt for fmt in FILE_FORMATS if format_info(fmt).quantized]
# The gguf package reads the others, but writes none of them.
REFERENCE = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1")
# Largest error of a weight as a share of the largest magnitude of its block, a little rounded up;
# and the root mean square error for normally distributed weights.
LARGEST_ERROR = {"q8_0": 0.0041, "q5_0": 0.064, "q4_0": 0.126, "q5_1": 0.034, "q4_1": 0.068}
LARGEST_ERROR |= {"iq4_nl": 0.17}
MEAN_ERROR = {
    "q8_0": 0.006, "q6_k": 0.02, "q5_k": 0.04, "q5_0": 0.046, "q5_1": 0.042, "q4_k": 0.08,
    "iq4_nl": 0.08, "q4_0": 0.09, "q4_1": 0.085, "q3_k": 0.17, "q2_k": 0.32,
}  # fmt: skip


def reference_bytes(fmt: str, x: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the gguf package's file rows of x."""
    with np.errstate(over="ignore"):  # a value beyond f16 becomes Inf
        rows = gguf.quants.quantize(x, GGUF_TYPES[fmt])
    return np.ascontiguousarray(rows).view(np.uint8).reshape(x.shape[0], -1)


def weight_like(rng: np.random.Generator) -> NDArray[np.float32]:
    """Weights of many shapes of distribution: normal, on a coarse grid, from bf16, with ties."""
    normal = rng.standard_normal((64, 512), dtype=np.float32)
    grid = np.round(rng.standard_normal((64, 512)) * 4).astype(np.float32) * np.float32(0.3)
    bf16 = (normal.view(np.uint32) & 0xFFFF0000).view(np.float32)
    ties = rng.choice(np.array([-1, 1, 0.5, 0.0625, 0], dtype=np.float32), (64, 512))
    scaled = normal * np.float32(10) ** rng.integers(-12, 4, (64, 1)).astype(np.float32)
    return np.concatenate([normal, grid, bf16, ties, scaled]).astype(np.float32)


@pytest.mark.parametrize("fmt", REFERENCE)
def test_quantize_gives_the_reference_bytes(
    kernels: Kernels, rng: np.random.Generator, fmt: str
) -> None:
    x = weight_like(rng)
    np.testing.assert_array_equal(kernels.quantize(fmt, x), reference_bytes(fmt, x))


@pytest.mark.parametrize("fmt", FILE_FORMATS)
def test_dequantize_gives_the_reference_values(
    kernels: Kernels, rng: np.random.Generator, fmt: str
) -> None:
    """Blocks of every byte; scales that are NaN or infinite are left out."""
    info = format_info(fmt)
    rows = rng.integers(0, 256, (64, 12 * info.block_bytes), dtype=np.uint8)
    for at in F16_FIELDS.get(fmt, ()):
        high = rows.reshape(64, 12, -1)[..., at + 1]
        high[high & 0x7C == 0x7C] ^= 0x40
    if not info.quantized:
        rows = reference_bytes(fmt, weight_like(rng))
    raw = rows.view(np.float32) if fmt == "f32" else rows
    expected = gguf.quants.dequantize(raw, GGUF_TYPES[fmt])
    assert_same_bits(kernels.dequantize(fmt, rows), np.asarray(expected, dtype=np.float32))


@pytest.mark.parametrize("fmt", QUANTIZED)
def test_every_level_writes_scalar_bytes(
    kernels: Kernels, scalar: Kernels, rng: np.random.Generator, fmt: str
) -> None:
    x = weight_like(rng)[::5].copy()
    np.testing.assert_array_equal(kernels.quantize(fmt, x), scalar.quantize(fmt, x))


@pytest.mark.parametrize("fmt", QUANTIZED)
def test_error_for_normal_weights(kernels: Kernels, rng: np.random.Generator, fmt: str) -> None:
    x = rng.standard_normal((64, 512), dtype=np.float32)
    back = kernels.dequantize(fmt, kernels.quantize(fmt, x))
    assert 0 < np.sqrt(np.mean((back - x) ** 2)) < MEAN_ERROR[fmt]


@pytest.mark.parametrize("fmt", QUANTIZED)
def test_importance_moves_the_error(scalar: Kernels, rng: np.random.Generator, fmt: str) -> None:
    """A hundredfold importance of every fourth input lowers the error there."""
    x = rng.standard_normal((64, 512), dtype=np.float32)
    weight = np.where(np.arange(512) % 4 == 0, 100, 1).astype(np.float32)
    plain = scalar.dequantize(fmt, scalar.quantize(fmt, x)) - x
    found = scalar.quantize(fmt, x, weight)
    error = scalar.dequantize(fmt, found) - x
    if fmt == "q8_0":
        np.testing.assert_array_equal(error, plain)
        return
    assert (weight * error**2).sum() < (weight * plain**2).sum()
    assert (error[:, ::4] ** 2).sum() < (plain[:, ::4] ** 2).sum() * 0.95
    x[3, 5] = np.nan
    block = scalar.dequantize(fmt, scalar.quantize(fmt, x, weight))[3]
    assert np.isnan(block[: format_info(fmt).block_inputs]).all()
    with pytest.raises(ValueError, match="511 importances for 512 inputs"):
        scalar.quantize(fmt, x, weight[1:].copy())


@pytest.mark.parametrize("fmt", QUANTIZED)
def test_published_blocks(kernels: Kernels, test_data: Path, fmt: str) -> None:
    folder = test_data / "ggml-quants"
    name = f"{fmt}_{2 * format_info(fmt).block_inputs}_noim"
    x = np.fromfile(folder / f"{name}_input.bin", dtype=np.float32).reshape(2, -1)
    blocks = np.fromfile(folder / f"{name}_expected.bin", dtype=np.uint8).reshape(2, -1)
    values = np.fromfile(folder / f"{name}_dequant.bin", dtype=np.float32).reshape(2, -1)
    np.testing.assert_array_equal(kernels.quantize(fmt, x), blocks)
    assert_same_bits(kernels.dequantize(fmt, blocks), values)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("fmt", QUANTIZED)
def test_a_bad_value_makes_its_block_nan(
    kernels: Kernels, scalar: Kernels, rng: np.random.Generator, fmt: str, bad: float
) -> None:
    n = format_info(fmt).block_inputs
    x = rng.standard_normal((32, 3 * n), dtype=np.float32)
    x[np.arange(32), n + np.arange(32)] = bad
    blocks = kernels.quantize(fmt, x)
    np.testing.assert_array_equal(blocks, scalar.quantize(fmt, x))
    back = kernels.dequantize(fmt, blocks)
    assert np.isnan(back[:, n : 2 * n]).all()
    assert np.isfinite(back[:, :n]).all()
    assert np.isfinite(back[:, 2 * n :]).all()


@pytest.mark.parametrize("n", [1, 7, 8, 9, 15, 16, 17, 33, 1001])
@pytest.mark.parametrize("fmt", ["f16", "bf16", "f32"])
def test_lengths_without_blocks(
    kernels: Kernels, rng: np.random.Generator, fmt: str, n: int
) -> None:
    x = rng.standard_normal((3, n), dtype=np.float32)
    rows = kernels.quantize(fmt, x)
    np.testing.assert_array_equal(rows, reference_bytes(fmt, x))
    raw = rows.view(np.float32) if fmt == "f32" else rows
    expected = gguf.quants.dequantize(raw, GGUF_TYPES[fmt])
    assert_same_bits(kernels.dequantize(fmt, rows), np.asarray(expected, dtype=np.float32))


def test_all_f16_values(kernels: Kernels) -> None:
    half = np.arange(65536, dtype=np.uint16)
    found = kernels.dequantize("f16", half.view(np.uint8).reshape(1, -1))
    assert_same_bits(found[0], half.view(np.float16).astype(np.float32))
    back = kernels.quantize("f16", found).view(np.float16)[0]
    number = ~np.isnan(half.view(np.float16))
    np.testing.assert_array_equal(back.view(np.uint16)[number], half[number])
    assert np.isnan(back[~number]).all()


def test_all_bf16_values(kernels: Kernels) -> None:
    half = np.arange(65536, dtype=np.uint16)
    found = kernels.dequantize("bf16", half.view(np.uint8).reshape(1, -1))
    assert_same_bits(found[0], (half.astype(np.uint32) << 16).view(np.float32))
    back = kernels.quantize("bf16", found).view(np.uint16)[0]
    number = ~np.isnan(found[0])
    np.testing.assert_array_equal(back[number], half[number])


@pytest.mark.parametrize("fmt", ["f16", "bf16"])
def test_rounding_borders(kernels: Kernels, fmt: str) -> None:
    """Around the middle of every pair of neighbours: below, on it, above."""
    half = np.arange(0x7C00 if fmt == "f16" else 0x7F80, dtype=np.uint16)
    if fmt == "f16":
        low = half.view(np.float16).astype(np.float64)
        high = np.append(low[1:], 65536.0)
    else:
        half = half[half >= 0x80]  # smaller ones are denormal f32, which the mode flushes
        low = (half.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        high = np.append(low[1:], 2.0**128)
    middle = ((low + high) / 2).astype(np.float32)
    x = np.stack([np.nextafter(middle, np.float32(0)), middle, -np.nextafter(middle, np.inf)])
    x = np.ascontiguousarray(x[:, np.abs(x).min(axis=0) >= np.finfo(np.float32).tiny])
    np.testing.assert_array_equal(kernels.quantize(fmt, x), reference_bytes(fmt, x))


@pytest.mark.parametrize("fmt", QUANTIZED)
@settings(deadline=None, max_examples=100)
@given(
    x=arrays(
        np.float32,
        (1, 64),
        elements=st.floats(
            width=32, allow_subnormal=False, min_value=-(2.0**100), max_value=2.0**100
        ),
    )
)
def test_any_finite_block(fmt: str, x: NDArray[np.float32]) -> None:
    scalar, best = Kernels("scalar"), Kernels()
    x = np.tile(x, (1, 4))
    blocks = best.quantize(fmt, x)
    np.testing.assert_array_equal(blocks, scalar.quantize(fmt, x))
    assert blocks.shape[1] == x.shape[1] // format_info(fmt).block_inputs * (
        format_info(fmt).block_bytes
    )
    amax = np.abs(x).reshape(-1, 32).max(axis=1)
    affine = fmt in ("q4_1", "q5_1")  # these store a minimum, which has to fit f16, and a spread
    top = 65504 if affine else 8 * 65504
    if fmt in LARGEST_ERROR and amax.max() < top and amax.min() > 1e-2:
        spread = 2 if affine else 1
        error = np.abs(best.dequantize(fmt, blocks) - x).reshape(-1, 32).max(axis=1)
        assert (error <= amax * LARGEST_ERROR[fmt] * spread).all()


@pytest.mark.parametrize("fmt", QUANTIZED)
def test_denormals_count_as_zero(kernels: Kernels, scalar: Kernels, fmt: str) -> None:
    x = np.zeros((4, format_info(fmt).block_inputs), dtype=np.float32)
    x[0, 5] = 1e-40
    x[1] = -1e-40
    x[2, 3], x[2, 4] = 1e-39, 1e-3
    x[3, 0] = -0.0
    found = kernels.quantize(fmt, x)
    np.testing.assert_array_equal(found, scalar.quantize(fmt, x))
    assert not kernels.dequantize(fmt, found[[0, 1, 3]]).any()
