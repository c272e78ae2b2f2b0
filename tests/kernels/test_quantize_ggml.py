"""File blocks of every quantized format, with and without importances, against ggml's own bytes.

``tests/golden/ggml-blocks.json`` holds BLAKE2b hashes of what the functions ``quantize_<type>`` of
ggml-quants.c (llama.cpp b11434, built with ``-O2 -ffp-contract=off``) write for these inputs.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pyinfer._kernels.kernels import FILE_FORMATS, Kernels, format_info

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "ggml-blocks.json").read_text())
QUANTIZED = [fmt for fmt in FILE_FORMATS if format_info(fmt).quantized]
ROWS, COLS = 64, 1024


def inputs() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weights (64, 1024) and importances (1024,) by integer arithmetic alone.

    Rows of several magnitudes, one on a coarse grid, one with blocks of zeros; importances of
    zero, alone and for whole blocks.
    """
    state = np.arange(1, ROWS * COLS * 6 + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state ^= state >> np.uint64(31)
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(27)
    u = (state >> np.uint64(40)).astype(np.int64).reshape(6, ROWS, COLS) & 0xFFFF
    x = (u[:4].sum(axis=0) - 0x20000).astype(np.float32) / np.float32(0x8000)
    x *= np.exp2(np.arange(ROWS) % 9 - 4).astype(np.float32)[:, None]
    x[7] = np.round(x[7] * 4) / 4
    x[8, :300] = 0
    importance = ((u[4, 0] & 0xFF) ** 2).astype(np.float32) / np.float32(64)
    importance[64:128] = 0
    importance[::17] = 0
    return np.ascontiguousarray(x), importance


def test_every_format_has_its_bytes() -> None:
    assert GOLDEN["plain"].keys() == GOLDEN["weighted"].keys() == set(QUANTIZED)


@pytest.mark.parametrize("fmt", QUANTIZED)
def test_blocks_are_those_of_ggml(kernels: Kernels, fmt: str) -> None:
    x, importance = inputs()
    plain = kernels.quantize(fmt, x)
    weighted = kernels.quantize(fmt, x, importance)
    assert blake2b(plain, digest_size=16).hexdigest() == GOLDEN["plain"][fmt]
    assert blake2b(weighted, digest_size=16).hexdigest() == GOLDEN["weighted"][fmt]
    assert np.isfinite(kernels.dequantize(fmt, weighted)).all()
