"""What a quantized matrix of a folder is to the rest of the package: rows in a format that runs.

A matrix of integers times scales is given in q8_0 blocks if those hold its values exactly: whole
groups of 32 inputs, codes that fit 8 bits, scales that are f16 numbers. Every other matrix is given
as exact f32 rows, to be held in the float type that the library's own dequantization yields.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer.checkpoint.quantized.words import Codes
from pyinfer.checkpoint.safetensors import StoredTensor
from pyinfer.errors import ModelFormatError

Floats = npt.NDArray[np.float32]

BLOCK = 32
_Q8_0 = np.dtype([("d", "<f2"), ("q", "i1", BLOCK)])
_NUMPY: dict[str, np.dtype[Any]] = {
    "f32": np.dtype("<f4"),
    "f16": np.dtype("<f2"),
    "bf16": np.dtype("<u2"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "I16": np.dtype("<i2"),
    "I64": np.dtype("<i8"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "F8_E4M3": np.dtype("u1"),
    "F8_E8M0": np.dtype("u1"),
    "BOOL": np.dtype("u1"),
}


class QuantizedMatrix(ABC):
    """A matrix (rows, cols) that is decoded while it is read.

    Attributes
    ----------
    parts : sequence of StoredTensor
        What it is made of; the first one decides its place in the order of reading.
    method : str
        For people: library, bits and groups.
    shape : (int, int)
    held : str
        Format to hold it in: ``q8_0``, ``f16``, ``bf16`` or ``f32``.
    """

    def __init__(
        self, parts: Sequence[StoredTensor], method: str, shape: tuple[int, int], held: str
    ) -> None:
        self.parts, self.method, self.shape, self.held = parts, method, shape, held

    @property
    def fmt(self) -> str:
        """Format of the rows that :meth:`encoded` gives: ``q8_0`` or ``f32``."""
        return "q8_0" if self.held == "q8_0" else "f32"

    @abstractmethod
    def values(self, first: int, count: int) -> Floats:
        """Rows [first, first + count) as float32 (count, cols)."""

    def encoded(self, first: int, count: int) -> npt.NDArray[np.uint8]:
        """The same rows as bytes of ``fmt``, uint8 (count * row bytes,).

        Raises
        ------
        ModelFormatError
            A value is not finite.
        StoreIOError
            A file became shorter or cannot be read.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # refused below
            values = np.ascontiguousarray(self.values(first, count), dtype="<f4")
        if not np.isfinite(values).all():
            part = self.parts[0]
            raise ModelFormatError(
                f"{part.file.name}: tensor {part.name[:80]!r} stands for values that are not finite"
            )
        return values.view(np.uint8).reshape(-1)


class IntegerMatrix(QuantizedMatrix):
    """``(codes - zeros) * scales``, with one scale per row and group of inputs.

    Parameters
    ----------
    parts : sequence of StoredTensor
    method : str
    shape : (int, int)
    codes : callable
        Codes of rows [first, first + count), int16 (count, cols).
    scales : float32 (rows, groups)
    group : int
        Inputs per group; the last one may be shorter.
    fallback : str
        Float format to hold it in if q8_0 does not hold it exactly.
    code_range : (int, int)
        Smallest and largest code.
    zeros : int16 (rows, groups), optional
    group_of : int32 (cols,), optional
        Group of every input where groups are no runs of inputs.
    """

    def __init__(
        self,
        parts: Sequence[StoredTensor],
        method: str,
        shape: tuple[int, int],
        codes: Callable[[int, int], Codes],
        scales: Floats,
        group: int,
        fallback: str,
        code_range: tuple[int, int],
        zeros: Codes | None = None,
        group_of: npt.NDArray[np.int32] | None = None,
    ) -> None:
        super().__init__(parts, method, shape, fallback)
        self._codes, self._scales, self._zeros = codes, scales, zeros
        self._group, self._group_of = group, group_of
        low, high = code_range
        if zeros is not None and zeros.size:
            low, high = low - int(zeros.max()), high - int(zeros.min())
        blocks = shape[1] % BLOCK == 0 and group % BLOCK == 0 and group_of is None
        if blocks and low >= -128 and high <= 127 and is_f16(scales):
            self.held = "q8_0"

    def centred(self, first: int, count: int) -> Codes:
        """``codes - zeros`` of rows [first, first + count), int16 (count, cols)."""
        codes = self._codes(first, count)
        if self._zeros is None:
            return codes
        found: Codes = codes - self._spread(self._zeros[first : first + count])
        return found

    def values(self, first: int, count: int) -> Floats:
        """As :meth:`QuantizedMatrix.values`."""
        scales = self._spread(self._scales[first : first + count])
        found: Floats = self.centred(first, count).astype(np.float32) * scales
        return found

    def encoded(self, first: int, count: int) -> npt.NDArray[np.uint8]:
        """As :meth:`QuantizedMatrix.encoded`."""
        if self.fmt != "q8_0":
            return super().encoded(first, count)
        cols = self.shape[1]
        out = np.empty((count, cols // BLOCK), _Q8_0)
        scales = self._scales[first : first + count]
        out["d"] = np.repeat(scales, self._group // BLOCK, axis=1)[:, : cols // BLOCK]
        out["q"] = self.centred(first, count).reshape(count, -1, BLOCK)
        return out.view(np.uint8).reshape(-1)

    def _spread(self, per_group: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(rows, groups) to (rows, cols)."""
        if self._group_of is not None:
            return per_group[:, self._group_of]
        return np.repeat(per_group, self._group, axis=1)[:, : self.shape[1]]


class FloatMatrix(QuantizedMatrix):
    """A matrix whose values are no integers times scales.

    Parameters
    ----------
    parts, method, shape
        As the attributes.
    held : str
        ``f32``, ``f16`` or ``bf16``.
    values : callable
        Rows [first, first + count), float32 (count, cols).
    """

    def __init__(
        self,
        parts: Sequence[StoredTensor],
        method: str,
        shape: tuple[int, int],
        held: str,
        values: Callable[[int, int], Floats],
    ) -> None:
        super().__init__(parts, method, shape, held)
        self._values = values

    def values(self, first: int, count: int) -> Floats:
        """As :meth:`QuantizedMatrix.values`."""
        return self._values(first, count)


class RowReader:
    """Rows of a stored matrix that lie one after the other in the file."""

    def __init__(self, tensor: StoredTensor, rows: int) -> None:
        self.tensor = tensor
        self.row_bytes = tensor.n_bytes // rows

    def __call__(self, first: int, count: int) -> npt.NDArray[np.uint8]:
        """Rows [first, first + count), uint8 (count, row bytes)."""
        out = np.empty((count, self.row_bytes), np.uint8)
        offset = self.tensor.offset + first * self.row_bytes
        self.tensor.file.read_into(offset, out.reshape(-1).view(np.uint8).data)
        return out


def rounded(values: Floats, fmt: str) -> Floats:
    """float32 values rounded to nearest even in ``f32``, ``f16`` or ``bf16``."""
    if fmt == "f16":
        with np.errstate(over="ignore"):
            return values.astype(np.float16).astype(np.float32)
    if fmt != "bf16":
        return values
    bits = np.ascontiguousarray(values).view(np.uint32)
    kept = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return kept.astype(np.uint32).view(np.float32)


def is_f16(values: Floats) -> bool:
    """Whether f16 holds every value exactly."""
    with np.errstate(over="ignore"):
        return bool(np.array_equal(values.astype(np.float16).astype(np.float32), values))


def read_array(tensor: StoredTensor) -> npt.NDArray[Any]:
    """All elements of a tensor as the file has them; bf16 as its 16 bits (uint16).

    Raises
    ------
    ModelFormatError
        The type has no place in a quantized matrix, or shape and bytes do not fit each other.
    StoreIOError
        The file became shorter or cannot be read.
    """
    dtype = _NUMPY.get(tensor.dtype)
    size = int(np.prod(tensor.shape, dtype=np.int64))
    if dtype is None or size * dtype.itemsize != tensor.n_bytes:
        raise ModelFormatError(
            f"{tensor.file.name}: tensor {tensor.name[:80]!r} of type {tensor.dtype} and shape "
            f"{tensor.shape[:4]} takes {tensor.n_bytes} bytes: no part of a quantized matrix"
        )
    out: npt.NDArray[Any] = np.empty(size, dtype)
    if size:
        tensor.file.read_into(tensor.offset, out.reshape(-1).view(np.uint8).data)
    return out.reshape(tensor.shape)


def read_floats(tensor: StoredTensor) -> Floats:
    """All elements of an f32, f16 or bf16 tensor as float32.

    Raises
    ------
    ModelFormatError
        Another type, or a value that is not finite.
    """
    if tensor.dtype not in ("f32", "f16", "bf16"):
        raise ModelFormatError(
            f"{tensor.file.name}: tensor {tensor.name[:80]!r} is {tensor.dtype}, expected floats"
        )
    raw = read_array(tensor)
    if tensor.dtype == "bf16":
        values = (raw.astype(np.uint32) << 16).view(np.float32)
    else:
        values = raw.astype(np.float32)
    if not np.isfinite(values).all():
        raise ModelFormatError(
            f"{tensor.file.name}: tensor {tensor.name[:80]!r} holds a value that is not finite"
        )
    return values
