"""compressed-tensors (llm-compressor) and native FP8 folders.

Established by reading what compressed-tensors 0.12 to 0.20 write; the packing of 3, 5, 6 and 7
bits changed in 0.18 under the same format name, so the number of words decides. Scales of
activations are not read: activations stay in this engine's own precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
)
from pyinfer.checkpoint.quantized.module import Module, contiguous_groups
from pyinfer.checkpoint.quantized.words import (
    Codes,
    dense,
    float4,
    float8_table,
    padded,
    scale8_table,
)
from pyinfer.checkpoint.safetensors import StoredTensor
from pyinfer.errors import ModelUnsupportedError

Unpack = Callable[[Any, int, int], Codes]

_FLOAT8 = float8_table()
_SCALE8 = scale8_table()


def check_compressed(config: Mapping[str, Any]) -> None:
    """Refuse what changes the computation in ways that this reader does not know.

    Raises
    ------
    ModelUnsupportedError
        Rotations at run time, or sparse storage.
    """
    for key, what in (("transform_config", "rotations at run time"),
                      ("sparsity_config", "sparse weights")):  # fmt: skip
        found = config.get(key)
        if isinstance(found, dict) and found.get("format") in ("dense", "dense_sparsity"):
            continue  # says that the weights are stored whole
        if found:
            raise ModelUnsupportedError(
                f"quantization_config.{key} asks for {what}, which does not run",
                hint="use another quantization of the model",
            )


def packed_matrix(module: Module, config: Mapping[str, Any]) -> QuantizedMatrix:
    """Read a module with ``weight_packed``.

    Raises
    ------
    ModelFormatError
        Shapes or types that do not fit each other.
    """
    packed, scale = module.need("weight_packed"), module.need("weight_scale")
    if packed.dtype == "U8":
        return _float4_matrix(module, packed, scale)
    rows, cols = module.rows, module.cols
    if packed.dtype != "I32" or len(packed.shape) != 2 or packed.shape[0] != rows:
        raise module.wrong(packed, f"32-bit words ({rows}, words)")
    bits, unpack = _packing(module, packed, config)
    scales = _scales(module, scale)
    groups = scales.shape[1]
    half = 1 << (bits - 1)
    zeros = None
    zero_point = module.find("weight_zero_point")
    if zero_point is not None:
        # Packed as the weights are or not: the number of words decides here, too.
        packings: dict[int, Unpack] = {
            -(-rows // (32 // bits)): padded,
            -(-rows * bits // 32): dense,
        }
        if unpack is padded:  # where both take as many words
            packings[-(-rows // (32 // bits))] = padded
        if zero_point.dtype != "I32" or zero_point.shape[1:] != (groups,) or (
                zero_point.shape[0] not in packings):  # fmt: skip
            raise module.wrong(zero_point, f"32-bit words ({-(-rows * bits // 32)}, {groups})")
        by_group = np.ascontiguousarray(read_array(zero_point).T)
        found = packings[zero_point.shape[0]](by_group, bits, rows)
        zeros = np.ascontiguousarray(found.T) - np.int16(half)
    group, group_of = _group_indices(module, groups, scale, config)
    read = RowReader(packed, rows)

    def codes(first: int, count: int) -> Codes:
        return unpack(read(first, count), bits, cols) - np.int16(half)

    return IntegerMatrix(
        (packed, scale),
        f"compressed-tensors, {bits} bits",
        (rows, cols),
        codes,
        scales,
        group,
        scale.dtype,
        (-half, half - 1),
        zeros,
        group_of,
    )


def _packing(module: Module, packed: StoredTensor, config: Mapping[str, Any]) -> tuple[int, Unpack]:
    """Bits and how words hold them: a dense stream, or whole values per word."""
    words, cols = packed.shape[1], module.cols
    named = [bits for bits in _configured_bits(config) if 2 <= bits <= 8]
    for bits in dict.fromkeys([*named, 4, 8, 2, 3, 5, 6, 7]):
        if words == -(-cols * bits // 32):
            return bits, dense
        if words == -(-cols // (32 // bits)):
            return bits, padded
    raise module.wrong(packed, "words of 2 to 8 bits per input")


def _weight_settings(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    groups = config.get("config_groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        weights = group.get("weights") if isinstance(group, dict) else None
        if isinstance(weights, dict):
            yield weights


def _configured_bits(config: Mapping[str, Any]) -> list[int]:
    found = [weights.get("num_bits") for weights in _weight_settings(config)]
    return [bits for bits in found if isinstance(bits, int) and not isinstance(bits, bool)]


def _configured_group(config: Mapping[str, Any]) -> int | None:
    for weights in _weight_settings(config):
        size = weights.get("group_size")
        if isinstance(size, int) and not isinstance(size, bool) and size > 0:
            return size
    return None


def _group_indices(
    module: Module, groups: int, scale: StoredTensor, config: Mapping[str, Any]
) -> tuple[int, Any]:
    g_idx = module.find("weight_g_idx")
    if g_idx is not None and g_idx.shape == (module.cols,) and g_idx.dtype == "I32":
        group_of = read_array(g_idx).astype(np.int32)
        if int(group_of.min()) >= 0:  # all -1: not used
            if int(group_of.max()) >= groups:
                raise module.wrong(g_idx, f"numbers of groups below {groups}")
            size = contiguous_groups(group_of, groups)
            return (size, None) if size is not None else (1, group_of)
    return module.group_size(groups, scale, _configured_group(config)), None


def _scales(module: Module, scale: StoredTensor) -> Floats:
    """(rows, groups) from one scale for all, one per row, or one per row and group."""
    values = read_floats(scale)
    if values.size == 1:
        return np.full((module.rows, 1), values.reshape(-1)[0], np.float32)
    if values.ndim == 1 and len(values) == module.rows:
        return values.reshape(-1, 1)
    if values.ndim != 2 or values.shape[0] != module.rows or not values.shape[1]:
        raise module.wrong(scale, f"({module.rows}, groups)")
    return np.ascontiguousarray(values)


def _float4_matrix(module: Module, packed: StoredTensor, scale: StoredTensor) -> QuantizedMatrix:
    """NVFP4 (groups of 16, 8-bit float scales over a divisor) and MXFP4 (groups of 32)."""
    rows, cols = module.rows, module.cols
    if packed.shape != (rows, cols // 2) or cols % 2:
        raise module.wrong(packed, f"({rows}, {cols} / 2)")
    divisor = module.find("weight_global_scale")
    nvidia = divisor is not None
    group = 16 if nvidia else 32
    wanted = "F8_E4M3" if nvidia else "U8"
    kinds = (wanted,) if nvidia else (wanted, "F8_E8M0")
    if scale.dtype not in kinds or scale.shape != (rows, -(-cols // group)):
        raise module.wrong(scale, f"{wanted} ({rows}, {cols} / {group})")
    table = _FLOAT8 if nvidia else _SCALE8
    scales = table[read_array(scale)]
    if divisor is not None:
        value = read_floats(divisor).reshape(-1)
        if value.size != 1 or value[0] == 0:
            raise module.wrong(divisor, "one number other than 0")
        with np.errstate(over="ignore"):  # refused with the values
            scales = scales / value
    read = RowReader(packed, rows)

    def codes(first: int, count: int) -> Codes:
        return float4(read(first, count))[:, :cols]

    # The table holds twice the values, so that they are integers.
    return IntegerMatrix(
        (packed, scale),
        "NVFP4" if nvidia else "MXFP4",
        (rows, cols),
        codes,
        np.ascontiguousarray(scales * np.float32(0.5)),
        group,
        "bf16",
        (-12, 12),
    )


def scaled_matrix(module: Module, config: Mapping[str, Any]) -> QuantizedMatrix:
    """Read a module whose ``weight`` is I8 or F8_E4M3 beside ``weight_scale`` or
    ``weight_scale_inv``; errors as :func:`packed_matrix`.
    """
    weight = module.need("weight")
    scale = module.find("weight_scale") or module.need("weight_scale_inv")
    rows, cols = module.rows, module.cols
    if weight.shape != (rows, cols):
        raise module.wrong(weight, f"({rows}, {cols})")
    read = RowReader(weight, rows)
    if weight.dtype == "I8":
        zero_point = module.find("weight_zero_point")
        scales = _scales(module, scale)
        zeros = None
        if zero_point is not None:
            found = read_array(zero_point)
            if zero_point.dtype != "I8" or found.size not in (1, scales.size):
                raise module.wrong(zero_point, f"I8 ({rows}, {scales.shape[1]})")
            zeros = np.broadcast_to(found.reshape(-1, scales.shape[1] if found.size > 1 else 1),
                                    scales.shape).astype(np.int16)  # fmt: skip

        def codes(first: int, count: int) -> Codes:
            return read(first, count).view(np.int8).astype(np.int16)

        group = module.group_size(scales.shape[1], scale, _configured_group(config))
        return IntegerMatrix(
            (weight, scale), "int8", (rows, cols), codes, scales, group, scale.dtype,
            (-128, 127), zeros,
        )  # fmt: skip
    if weight.dtype != "F8_E4M3":
        raise module.wrong(weight, "I8 or F8_E4M3")
    blocks = _Blocks(module, scale, config)

    def values(first: int, count: int) -> Floats:
        found: Floats = _FLOAT8[read(first, count)] * blocks.rows(first, count)
        return found

    return FloatMatrix((weight, scale), "FP8", (rows, cols), "bf16", values)


class _Blocks:
    """Scales of an FP8 matrix: one, one per row, or one per block of rows and inputs."""

    def __init__(self, module: Module, scale: StoredTensor, config: Mapping[str, Any]) -> None:
        values = read_floats(scale)
        rows, cols = module.rows, module.cols
        self._cols = cols
        if values.size == 1 or values.shape in ((rows,), (rows, 1)):
            self._scales, self._height, self._width = values.reshape(-1, 1), 1, cols
            if values.size == 1:
                self._height = rows
            return
        size = config.get("weight_block_size")
        for weights in _weight_settings(config):
            size = size or weights.get("block_structure")
        height, width = size if isinstance(size, list) and len(size) == 2 else (128, 128)
        natural = isinstance(height, int) and isinstance(width, int) and min(height, width) > 0
        expected = (-(-rows // height), -(-cols // width)) if natural else None
        if values.shape != expected:
            raise module.wrong(scale, f"one scale per block of {height} x {width}")
        self._scales, self._height, self._width = values, min(height, rows), min(width, cols)

    def rows(self, first: int, count: int) -> Floats:
        """Scale of every value of some rows, float32 (count, cols)."""
        of_row = np.arange(first, first + count) // self._height
        return np.repeat(self._scales[of_row], self._width, axis=1)[:, : self._cols]
