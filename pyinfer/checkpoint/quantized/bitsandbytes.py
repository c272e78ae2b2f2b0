"""bitsandbytes: 4 bits through a table of 16 values, and 8 bits with a scale per row.

Established by reading what bitsandbytes 0.50.2 writes through transformers. The settings of a 4-bit
matrix lie in a tensor of their own, as JSON.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from pyinfer.checkpoint.quantized.matrix import (
    FloatMatrix,
    Floats,
    IntegerMatrix,
    QuantizedMatrix,
    RowReader,
    read_array,
    read_floats,
    rounded,
)
from pyinfer.checkpoint.quantized.module import Module
from pyinfer.checkpoint.quantized.words import Codes
from pyinfer.checkpoint.safetensors import StoredTensor
from pyinfer.errors import ModelFormatError

STATES = ("weight.quant_state.bitsandbytes__nf4", "weight.quant_state.bitsandbytes__fp4")
_MAX_STATE_BYTES = 1 << 16
_TYPES = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}


def table_matrix(module: Module, state: StoredTensor) -> QuantizedMatrix:
    """Read a 4-bit module.

    Raises
    ------
    ModelFormatError
        Settings or shapes that do not fit each other.
    """
    settings = _settings(state)
    rows, cols = module.rows, module.cols
    weight, table = module.need("weight"), module.need("weight.quant_map")
    block, kind = settings.get("blocksize"), _TYPES.get(str(settings.get("dtype")))
    if settings.get("shape") != [rows, cols] or kind is None or not _positive(block):
        raise module.wrong(state, f"blocksize, dtype and the shape [{rows}, {cols}]")
    assert isinstance(block, int)
    size = rows * cols
    block = min(block, size)
    if weight.dtype != "U8" or weight.n_bytes != -(-size // 2):
        raise module.wrong(weight, f"{-(-size // 2)} bytes")
    values = read_floats(table).reshape(-1)
    scales = _block_scales(module, settings, -(-size // block))
    if len(values) != 16:
        raise module.wrong(table, "16 values")

    def decode(first: int, count: int) -> Floats:
        begin, end = first * cols, (first + count) * cols
        raw = np.empty(-(-end // 2) - begin // 2, np.uint8)
        weight.file.read_into(weight.offset + begin // 2, raw.data)
        halves = np.stack((raw >> 4, raw & 15), axis=-1).reshape(-1)
        codes = halves[begin % 2 :][: end - begin]
        found: Floats = values[codes] * scales[np.arange(begin, end) // block]
        return rounded(found, kind).reshape(count, cols)

    method = f"bitsandbytes {settings.get('quant_type')}"
    return FloatMatrix((weight, state), method, (rows, cols), kind, decode)


def _settings(state: StoredTensor) -> dict[str, Any]:
    if state.dtype != "U8" or state.n_bytes > _MAX_STATE_BYTES:
        raise ModelFormatError(f"{state.file.name}: tensor {state.name[:80]!r} is no quant_state")
    try:
        found = json.loads(read_array(state).tobytes())
    except (ValueError, RecursionError) as error:
        raise ModelFormatError(
            f"{state.file.name}: tensor {state.name[:80]!r} holds no JSON"
        ) from error
    if not isinstance(found, dict):
        raise ModelFormatError(f"{state.file.name}: tensor {state.name[:80]!r} holds no object")
    return found


def _block_scales(module: Module, settings: dict[str, Any], blocks: int) -> Floats:
    """Largest magnitude of every block; nested: those are quantized themselves."""
    absmax = module.need("weight.absmax")
    if absmax.n_bytes == 0 or int(np.prod(absmax.shape)) != blocks:
        raise module.wrong(absmax, f"{blocks} values")
    if absmax.dtype != "U8":
        return read_floats(absmax).reshape(-1)
    table = read_floats(module.need("weight.nested_quant_map")).reshape(-1)
    outer = read_floats(module.need("weight.nested_absmax")).reshape(-1)
    size, offset = settings.get("nested_blocksize"), settings.get("nested_offset")
    if len(table) != 256 or not _positive(size) or not _is_f32(offset):
        raise module.wrong(absmax, "nested_blocksize, nested_offset and a table of 256 values")
    assert isinstance(size, int)
    assert isinstance(offset, int | float)
    size = min(size, max(blocks, 1))
    if len(outer) != -(-blocks // size):
        raise module.wrong(absmax, f"{-(-blocks // size)} nested scales")
    codes = read_array(absmax).reshape(-1).astype(np.int64)
    found: Floats = table[codes] * outer[np.arange(blocks) // size] + np.float32(offset)
    return found


def row_matrix(module: Module) -> QuantizedMatrix:
    """Read an 8-bit module: ``weight`` I8 and ``SCB``, the largest magnitude of each row.

    Raises
    ------
    ModelFormatError
        Shapes that do not fit each other, or weights in a layout of a GPU.
    """
    weight, scale = module.need("weight"), module.need("SCB")
    rows, cols = module.rows, module.cols
    layout = module.find("weight_format")
    if weight.shape != (rows, cols) or weight.dtype != "I8":
        raise module.wrong(weight, f"I8 ({rows}, {cols})")
    if layout is not None and (layout.n_bytes != 1 or int(read_array(layout).reshape(-1)[0]) != 0):
        raise module.wrong(layout, "0, rows one after the other")
    largest = read_floats(scale).reshape(-1)
    if len(largest) != rows:
        raise module.wrong(scale, f"({rows},)")
    read = RowReader(weight, rows)

    def codes(first: int, count: int) -> Codes:
        return read(first, count).view(np.int8).astype(np.int16)

    scales = (largest / np.float32(127)).reshape(-1, 1)
    return IntegerMatrix(
        (weight, scale), "bitsandbytes int8", (rows, cols), codes, scales, cols, "f16",
        (-128, 127),
    )  # fmt: skip


def _is_f32(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= float(np.finfo(np.float32).max)


def _positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
