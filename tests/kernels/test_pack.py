"""Packing: the documented layout, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pyinfer._kernels.kernels import FORMATS, Kernels, format_info

from .file_blocks import parts_of
from .weights import random_rows, whole


def random_bytes(rng: np.random.Generator, fmt: str, n_rows: int, n_cols: int) -> NDArray[np.uint8]:
    """Rows with every byte, scales included, at random."""
    info = format_info(fmt)
    size = n_cols // info.block_inputs * info.block_bytes
    return rng.integers(0, 256, (n_rows, size), dtype=np.uint8)


@pytest.mark.parametrize("n_cols", [32, 64, 128, 160, 256, 896])
@pytest.mark.parametrize("n_rows", [1, 15, 16, 17, 31, 48])
@pytest.mark.parametrize("fmt", FORMATS)
def test_unpack_undoes_pack(
    kernels: Kernels, scalar: Kernels, rng: np.random.Generator, fmt: str, n_rows: int, n_cols: int
) -> None:
    n_cols = whole(fmt, n_cols)
    rows = random_bytes(rng, fmt, n_rows, n_cols)
    panels = kernels.pack(fmt, rows, n_cols)
    np.testing.assert_array_equal(panels, scalar.pack(fmt, rows, n_cols))
    np.testing.assert_array_equal(kernels.unpack(fmt, panels, n_rows, n_cols), rows)


@pytest.mark.parametrize("n_cols", [1, 2, 3, 5, 7, 9, 127, 129, 131])
@pytest.mark.parametrize("fmt", ["f32", "f16", "bf16"])
def test_odd_lengths_of_float_rows(
    kernels: Kernels, scalar: Kernels, rng: np.random.Generator, fmt: str, n_cols: int
) -> None:
    rows = random_bytes(rng, fmt, 18, n_cols)
    panels = kernels.pack(fmt, rows, n_cols)
    np.testing.assert_array_equal(panels, scalar.pack(fmt, rows, n_cols))
    np.testing.assert_array_equal(kernels.unpack(fmt, panels, 18, n_cols), rows)


@pytest.mark.parametrize("byte", [0x00, 0x7F, 0x80, 0xFF])
@pytest.mark.parametrize("fmt", FORMATS)
def test_extreme_bytes(kernels: Kernels, fmt: str, byte: int) -> None:
    info = format_info(fmt)
    n_cols = whole(fmt, 128)
    rows = np.full((20, n_cols // info.block_inputs * info.block_bytes), byte, dtype=np.uint8)
    panels = kernels.pack(fmt, rows, n_cols)
    np.testing.assert_array_equal(kernels.unpack(fmt, panels, 20, n_cols), rows)


@pytest.mark.parametrize("fmt", FORMATS)
def test_padding_is_zero_weights(kernels: Kernels, rng: np.random.Generator, fmt: str) -> None:
    n_cols = whole(fmt, 160)
    rows = random_rows(rng, fmt, 5, n_cols)
    panels = kernels.pack(fmt, rows, n_cols)
    everything = kernels.dequantize(fmt, kernels.unpack(fmt, panels, 16, 256))
    np.testing.assert_array_equal(everything[:5, :n_cols], kernels.dequantize(fmt, rows))
    assert not everything[5:].any()
    assert not everything[:, n_cols:].any()


def test_layout_of_a_q8_0_line(kernels: Kernels) -> None:
    """Line (b, j) holds inputs 32 b + 4 j ... + 3 of the 16 rows, sign bit flipped."""
    w = np.arange(16 * 128, dtype=np.int64).reshape(16, 4, 32) % 251 - 125
    blocks = np.zeros((16, 4, 34), dtype=np.uint8)
    blocks[..., 2:] = w.astype(np.int8).view(np.uint8)
    blocks[..., 0] = np.arange(64).reshape(16, 4)
    panel = kernels.pack("q8_0", blocks.reshape(16, -1), 128)[0]
    scales = panel[:128].view(np.uint16).reshape(4, 16)
    np.testing.assert_array_equal(scales, np.arange(64).reshape(16, 4).T)
    lines = panel[128:].reshape(4, 8, 16, 4)
    expected = (w + 128).reshape(16, 4, 8, 4).transpose(1, 2, 0, 3)
    np.testing.assert_array_equal(lines, expected)


def test_layout_of_a_q4_0_line(kernels: Kernels) -> None:
    """Line (b, j) holds inputs 4 j ... + 3 in the low and 16 + 4 j ... + 3 in the high nibbles."""
    w = (np.arange(16 * 128).reshape(16, 4, 32) * 7) % 16
    blocks = np.zeros((16, 4, 18), dtype=np.uint8)
    blocks[..., 2:] = w[..., :16] | w[..., 16:] << 4
    panel = kernels.pack("q4_0", blocks.reshape(16, -1), 128)[0]
    lines = panel[128:].reshape(4, 4, 16, 4)
    low = w[..., :16].reshape(16, 4, 4, 4).transpose(1, 2, 0, 3)
    high = w[..., 16:].reshape(16, 4, 4, 4).transpose(1, 2, 0, 3)
    np.testing.assert_array_equal(lines & 15, low)
    np.testing.assert_array_equal(lines >> 4, high)


@pytest.mark.parametrize("fmt", ["q2_k", "q4_k", "q5_k", "q6_k", "q5_1"])
def test_layout_of_blocks_with_parts(kernels: Kernels, rng: np.random.Generator, fmt: str) -> None:
    """Lines of nibbles as in q4_0; then bits, input 4 j + k in bit j of byte k, or pairs."""
    n_cols = whole(fmt, 128)
    rows = random_rows(rng, fmt, 16, n_cols)
    panel = kernels.pack(fmt, rows, n_cols)[0]
    code = parts_of(fmt, rows).code.reshape(16, -1, 8, 4).transpose(1, 2, 0, 3)  # block, j, row, k
    code = (code + (32 if fmt == "q6_k" else 0)).astype(np.uint8)
    head = {"q2_k": 5, "q4_k": 4, "q5_k": 4, "q6_k": 5, "q5_1": 4}[fmt]
    lines = panel.reshape(-1, 16, 4)[head:]
    n_blocks = len(code)
    nibbles = (code[:, :4] & 15) | (code[:, 4:] & 15) << 4
    shift = np.arange(8, dtype=np.uint8)[None, :, None, None]
    pairs = (code >> (0 if fmt == "q2_k" else 4) & 3) << shift % 4 * 2
    expected = [] if fmt == "q2_k" else [nibbles.reshape(-1, 16, 4)]
    if fmt in ("q5_k", "q5_1"):
        expected.append(((code >> 4 & 1) << shift).sum(axis=1, dtype=np.uint8))
    elif fmt in ("q2_k", "q6_k"):
        folded = pairs.reshape(n_blocks, 2, 4, 16, 4).sum(axis=2, dtype=np.uint8)
        expected.append(folded.reshape(-1, 16, 4))
    np.testing.assert_array_equal(lines, np.concatenate(expected))


@pytest.mark.parametrize("fmt", ["f32", "f16", "bf16"])
def test_layout_of_float_lines(kernels: Kernels, fmt: str) -> None:
    dtype, per_line = (np.uint32, 1) if fmt == "f32" else (np.uint16, 2)
    w = np.arange(16 * 128, dtype=dtype).reshape(16, 128)
    panel = kernels.pack(fmt, w.view(np.uint8).reshape(16, -1), 128)[0].view(dtype)
    expected = w.reshape(16, -1, per_line).transpose(1, 0, 2)
    np.testing.assert_array_equal(panel.reshape(-1, 16, per_line), expected)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_any_rows(data: st.DataObject) -> None:
    fmt = data.draw(st.sampled_from(FORMATS))
    info = format_info(fmt)
    n_rows = data.draw(st.integers(1, 40))
    n_cols = info.block_inputs * data.draw(st.integers(1, 12))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    rows = random_bytes(rng, fmt, n_rows, n_cols)
    best = Kernels()
    panels = best.pack(fmt, rows, n_cols)
    np.testing.assert_array_equal(panels, Kernels("scalar").pack(fmt, rows, n_cols))
    np.testing.assert_array_equal(best.unpack(fmt, panels, n_rows, n_cols), rows)
