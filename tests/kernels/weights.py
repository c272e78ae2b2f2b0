"""Weight matrices in file form for the kernel tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyinfer._kernels.kernels import FORMATS, Kernels, format_info

from .file_blocks import F16_FIELDS

QUANTIZED = [fmt for fmt in FORMATS if format_info(fmt).quantized]
FLOATS = [fmt for fmt in FORMATS if not format_info(fmt).quantized]


def whole(fmt: str, n_cols: int) -> int:
    """``n_cols`` rounded up to whole blocks of ``fmt``."""
    block = format_info(fmt).block_inputs
    return -(-n_cols // block) * block


def random_rows(rng: np.random.Generator, fmt: str, n_rows: int, n_cols: int) -> NDArray[np.uint8]:
    """Rows with every bit pattern of the quantized weights and scales of ordinary size."""
    info = format_info(fmt)
    if not info.quantized:
        x = rng.standard_normal((n_rows, n_cols), dtype=np.float32)
        return Kernels("scalar").quantize(fmt, x)
    n_blocks = n_cols // info.block_inputs
    blocks = rng.integers(0, 256, (n_rows, n_blocks, info.block_bytes), dtype=np.uint8)
    for at in F16_FIELDS[fmt]:
        scale = rng.uniform(-0.1, 0.1, (n_rows, n_blocks, 1)).astype(np.float16)
        blocks[..., at : at + 2] = scale.view(np.uint8)
    return blocks.reshape(n_rows, -1)


def filled_rows(fmt: str, byte: int, scale: float, n_rows: int, n_cols: int) -> NDArray[np.uint8]:
    """Quantized rows whose weight bytes are all ``byte``."""
    info = format_info(fmt)
    blocks = np.full((n_rows, n_cols // info.block_inputs, info.block_bytes), byte, dtype=np.uint8)
    for at in F16_FIELDS[fmt]:
        blocks[..., at : at + 2] = np.array([scale], dtype=np.float16).view(np.uint8)
    return blocks.reshape(n_rows, -1)


def activations(
    kernels: Kernels, fmt: str, x: NDArray[np.float32], tile: int = 0
) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Return x as the gemm of ``fmt`` takes it (tile = 8), or the gemv (tile = 0: one tile)."""
    if not format_info(fmt).quantized:
        return x
    return kernels.act_a8(x, tile) if tile else kernels.act_a8(x)[0]
