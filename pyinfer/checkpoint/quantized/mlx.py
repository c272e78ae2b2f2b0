"""MLX: ``codes * scale + bias`` per group of inputs, and its block floats.

Established by reading what mlx-lm 0.32.2 writes. Half of the scales are negative. A module without
``scales`` is not quantized; group size and bits follow from the shapes.
"""

from __future__ import annotations

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
from pyinfer.checkpoint.quantized.words import (
    Codes,
    dense,
    float4,
    float8_table,
    scale8_table,
)
from pyinfer.checkpoint.safetensors import StoredTensor

_FLOAT8 = float8_table()
_SCALE8 = scale8_table()


def mlx_matrix(module: Module) -> QuantizedMatrix:
    """Read a module with ``weight`` in 32-bit words and ``scales``.

    Raises
    ------
    ModelFormatError
        Shapes that do not fit each other.
    """
    weight, scale = module.need("weight"), module.need("scales")
    rows, cols = module.rows, module.cols
    if weight.dtype != "U32" or len(weight.shape) != 2 or weight.shape[0] != rows:
        raise module.wrong(weight, f"32-bit words ({rows}, words)")
    bits, left = divmod(weight.shape[1] * 32, cols)
    groups = scale.shape[1] if len(scale.shape) == 2 and scale.shape[0] == rows else 0
    if left or not 2 <= bits <= 8 or not groups or cols % groups:
        raise module.wrong(scale, f"({rows}, groups) for words of 2 to 8 bits per input")
    group = cols // groups
    if scale.dtype == "U8":
        return _block_floats(module, weight, scale, bits, group)
    scales, bias = read_floats(scale), module.need("biases")
    if bias.shape != scale.shape:
        raise module.wrong(bias, f"({rows}, {groups})")
    biases = read_floats(bias)
    read = RowReader(weight, rows)

    def values(first: int, count: int) -> Floats:
        codes = dense(read(first, count), bits, cols).reshape(count, groups, group)
        part = slice(first, first + count)
        # MLX computes in the type of the scales: two roundings.
        scaled = rounded(codes * scales[part, :, None], scale.dtype)
        return rounded(scaled + biases[part, :, None], scale.dtype).reshape(count, cols)

    method = f"MLX, {bits} bits, groups of {group}"
    return FloatMatrix((weight, scale, bias), method, (rows, cols), scale.dtype, values)


def _block_floats(
    module: Module, weight: StoredTensor, scale: StoredTensor, bits: int, group: int
) -> QuantizedMatrix:
    """mxfp4 and nvfp4 (4 bits, groups of 32 and 16), mxfp8 (8 bits, groups of 32)."""
    rows, cols = module.rows, module.cols
    read = RowReader(weight, rows)
    if bits == 8 and group == 32:
        scales = _SCALE8[read_array(scale)]

        def values(first: int, count: int) -> Floats:
            spread = np.repeat(scales[first : first + count], group, axis=1)
            found: Floats = _FLOAT8[read(first, count)] * spread
            return found

        return FloatMatrix((weight, scale), "MLX mxfp8", (rows, cols), "bf16", values)
    if bits != 4 or group not in (16, 32):
        raise module.wrong(scale, "block floats of 4 bits in groups of 16 or 32, or of 8 bits")
    table = _SCALE8 if group == 32 else _FLOAT8

    def codes(first: int, count: int) -> Codes:
        return float4(read(first, count))[:, :cols]

    scales = table[read_array(scale)] * np.float32(0.5)  # the codes are twice the values
    return IntegerMatrix(
        (weight, scale), "MLX mxfp4" if group == 32 else "MLX nvfp4", (rows, cols), codes,
        np.ascontiguousarray(scales), group, "bf16", (-12, 12),
    )  # fmt: skip
