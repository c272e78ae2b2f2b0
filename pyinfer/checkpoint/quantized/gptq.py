"""GPTQ and AWQ: integers of 2 to 8 bits with a scale and a zero per output and group of inputs.

Established by reading what gptqmodel 7.7.0 and autoawq 0.2.9 write. Bits follow from the shapes:
the config names one width, single modules may have another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pyinfer.checkpoint.quantized.matrix import IntegerMatrix, RowReader, read_array, read_floats
from pyinfer.checkpoint.quantized.module import Module, contiguous_groups
from pyinfer.checkpoint.quantized.words import PLANES, Codes, awq, dense, planes
from pyinfer.checkpoint.safetensors import StoredTensor
from pyinfer.errors import ModelUnsupportedError

GPTQ_FORMATS = ("gptq", "gptq_v2", "gptq_p")
AWQ_VERSIONS = ("gemm", "gemv")

Unpack = Callable[[Any, int, int], Codes]


class _Transposed:
    """Codes of a matrix that the file holds with inputs first, (words, outputs).

    The words are read once and kept while rows are asked for in order; the last ones free them.
    """

    def __init__(
        self, tensor: StoredTensor, rows: int, take: Callable[[Any, int, int], Codes]
    ) -> None:
        self._tensor, self._rows, self._take = tensor, rows, take
        self._words: Any = None

    def __call__(self, first: int, count: int) -> Codes:
        words = read_array(self._tensor) if self._words is None else self._words
        self._words = words if first + count < self._rows else None
        return self._take(words, first, count)


def gptq_matrix(module: Module, config: Mapping[str, Any]) -> IntegerMatrix:
    """Read a module with ``qweight``, ``qzeros``, ``scales`` and perhaps ``g_idx``.

    Raises
    ------
    ModelUnsupportedError
        A layout that is not known.
    ModelFormatError
        Shapes that do not fit each other.
    """
    layout = config.get("checkpoint_format") or "gptq"
    if layout not in GPTQ_FORMATS:
        raise ModelUnsupportedError(
            f"GPTQ checkpoint_format {str(layout)[:40]!r} is not known",
            hint=f"known are {', '.join(GPTQ_FORMATS)}",
        )
    qweight, qzeros, scale = (module.need(name) for name in ("qweight", "qzeros", "scales"))
    rows, cols = module.rows, module.cols
    if qweight.dtype != "I32" or len(qweight.shape) != 2 or qweight.shape[1] != rows:
        raise module.wrong(qweight, f"32-bit words (inputs * bits / 32, {rows})")
    bits, left = divmod(qweight.shape[0] * 32, cols)
    if left or not 2 <= bits <= 8:
        raise module.wrong(qweight, "2 to 8 bits per input")
    in_planes = layout == "gptq_p" and bits in PLANES
    # Words of zeros hold whole outputs; planes go by 32 values.
    if rows * bits % 32 or (in_planes and (rows % 32 or cols % 32)):
        raise module.wrong(qzeros, "whole 32-bit words of zeros for all outputs")
    unpack: Unpack = planes if in_planes else dense
    groups = scale.shape[0] if len(scale.shape) == 2 else 0
    if groups == 0 or scale.shape[1] != rows:
        raise module.wrong(scale, f"(groups, {rows})")
    if qzeros.dtype != "I32" or qzeros.shape != (groups, rows * bits // 32):
        raise module.wrong(qzeros, f"32-bit words ({groups}, {rows * bits // 32})")
    zeros = unpack(read_array(qzeros), bits, rows) + np.int16(layout == "gptq")
    group, group_of = _groups(module, groups, scale, config)

    def take(words: Any, first: int, count: int) -> Codes:
        return unpack(np.ascontiguousarray(words[:, first : first + count].T), bits, cols)

    return IntegerMatrix(
        (qweight, qzeros, scale),
        f"GPTQ, {bits} bits" + (", act-order" if group_of is not None else ""),
        (rows, cols),
        _Transposed(qweight, rows, take),
        np.ascontiguousarray(read_floats(scale).T),
        group,
        _fallback(scale),
        (0, (1 << bits) - 1),
        np.ascontiguousarray(zeros.T),
        group_of,
    )


def _groups(
    module: Module, groups: int, scale: StoredTensor, config: Mapping[str, Any]
) -> tuple[int, Any]:
    """Inputs per group, and the group of every input if groups are no runs."""
    g_idx = module.find("g_idx")
    if g_idx is None:
        return module.group_size(groups, scale, _integer(config.get("group_size"))), None
    if g_idx.dtype != "I32" or g_idx.shape != (module.cols,):
        raise module.wrong(g_idx, f"32-bit integers ({module.cols},)")
    group_of = read_array(g_idx).astype(np.int32)
    if group_of.size and not 0 <= int(group_of.min()) <= int(group_of.max()) < groups:
        raise module.wrong(g_idx, f"numbers of groups below {groups}")
    size = contiguous_groups(group_of, groups)
    return (size, None) if size is not None else (1, group_of)


def awq_matrix(module: Module, config: Mapping[str, Any]) -> IntegerMatrix:
    """Read a module with ``qweight``, ``qzeros`` and ``scales``; errors as :func:`gptq_matrix`."""
    version = str(config.get("version") or config.get("format") or "gemm").lower()
    if version not in AWQ_VERSIONS:
        raise ModelUnsupportedError(
            f"AWQ version {version[:40]!r} is not known",
            hint=f"known are {', '.join(AWQ_VERSIONS)}",
        )
    qweight, qzeros, scale = (module.need(name) for name in ("qweight", "qzeros", "scales"))
    if qweight.dtype != "I32" or len(qweight.shape) != 2 or len(scale.shape) != 2:
        raise module.wrong(qweight, "32-bit words of 8 values")
    return (_awq_gemv if version == "gemv" else _awq_gemm)(module, config, qweight, qzeros, scale)


def _awq_gemm(
    module: Module,
    config: Mapping[str, Any],
    qweight: StoredTensor,
    qzeros: StoredTensor,
    scale: StoredTensor,
) -> IntegerMatrix:
    rows, cols = module.rows, module.cols
    groups = scale.shape[0]
    if qweight.shape != (cols, rows // 8) or rows % 8:
        raise module.wrong(qweight, f"({cols}, {rows} / 8)")
    if scale.shape[1] != rows or qzeros.shape != (groups, rows // 8) or qzeros.dtype != "I32":
        raise module.wrong(qzeros, f"({groups}, {rows // 8}) beside scales ({groups}, {rows})")

    def take(words: Any, first: int, count: int) -> Codes:
        begin, end = first // 8, -(-(first + count) // 8)
        found = awq(np.ascontiguousarray(words[:, begin:end]))
        return np.ascontiguousarray(found[:, first - 8 * begin :][:, :count].T)

    return IntegerMatrix(
        (qweight, qzeros, scale),
        "AWQ, 4 bits",
        (rows, cols),
        _Transposed(qweight, rows, take),
        np.ascontiguousarray(read_floats(scale).T),
        module.group_size(groups, scale, _integer(config.get("group_size"))),
        _fallback(scale),
        (0, 15),
        np.ascontiguousarray(awq(read_array(qzeros)).T),
    )


def _awq_gemv(
    module: Module,
    config: Mapping[str, Any],
    qweight: StoredTensor,
    qzeros: StoredTensor,
    scale: StoredTensor,
) -> IntegerMatrix:
    """Outputs first, plain order; scales and zeros are padded to more columns than groups."""
    rows, cols = module.rows, module.cols
    size = min(_integer(config.get("group_size") or config.get("q_group_size")) or cols, cols)
    size = cols if size == -1 else size
    groups = -(-cols // size) if size > 0 else 0
    if qweight.shape != (rows, cols // 8) or cols % 8:
        raise module.wrong(qweight, f"({rows}, {cols} / 8)")
    if groups == 0 or scale.shape[0] != rows or scale.shape[1] < groups:
        raise module.wrong(scale, f"({rows}, {groups} or more)")
    flat = qzeros.dtype == "I32" and len(qzeros.shape) == 2 and qzeros.shape[0] == rows
    if not flat or qzeros.shape[1] * 8 < groups:
        raise module.wrong(qzeros, f"32-bit words ({rows}, {groups} / 8 or more)")
    read = RowReader(qweight, rows)

    def codes(first: int, count: int) -> Codes:
        return dense(read(first, count), 4, cols)

    return IntegerMatrix(
        (qweight, qzeros, scale),
        "AWQ gemv, 4 bits",
        (rows, cols),
        codes,
        np.ascontiguousarray(read_floats(scale)[:, :groups]),
        size,
        _fallback(scale),
        (0, 15),
        dense(read_array(qzeros), 4, groups),
    )


def _fallback(scale: StoredTensor) -> str:
    """What the library's own dequantization yields: the type of the scales."""
    return scale.dtype


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
