"""The bytes in front of a GGUF file's tensors, read on demand and never past a limit.

Numbers from the file are Python integers, so sums and products of them cannot overflow. Nothing is
allocated from a count or length before it is known to fit the file.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, overload

import numpy as np

from pyinfer.checkpoint.limits import MAX_ARRAY_ELEMENTS, MAX_HEADER_BYTES
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.errors import ModelFormatError

# Value types: id -> (name, struct format, NumPy dtype).
SCALARS: Final[dict[int, tuple[str, struct.Struct, str]]] = {
    0: ("uint8", struct.Struct("<B"), "<u1"),
    1: ("int8", struct.Struct("<b"), "<i1"),
    2: ("uint16", struct.Struct("<H"), "<u2"),
    3: ("int16", struct.Struct("<h"), "<i2"),
    4: ("uint32", struct.Struct("<I"), "<u4"),
    5: ("int32", struct.Struct("<i"), "<i4"),
    6: ("float32", struct.Struct("<f"), "<f4"),
    7: ("bool", struct.Struct("<B"), "<u1"),
    10: ("uint64", struct.Struct("<Q"), "<u8"),
    11: ("int64", struct.Struct("<q"), "<i8"),
    12: ("float64", struct.Struct("<d"), "<f8"),
}
UINT32: Final = 4
INT32: Final = 5
FLOAT32: Final = 6
BOOL: Final = 7
STRING: Final = 8
ARRAY: Final = 9

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")

# The buffer grows by at most this much beyond what is needed, and at first by the smaller one.
_GROWTH = 8 << 20
_FIRST = 64 << 10


class LazyStrings(Sequence[str]):
    """Array of strings that are decoded when asked for.

    Parameters
    ----------
    data : memoryview
        The header bytes.
    starts : array of int64, n + 1 entries
        Where each string begins; the last entry is where a further one would. Between two strings
        lie the 8 bytes of a length.
    key : str
        Key of the array, for messages.
    """

    __slots__ = ("_data", "_key", "_starts")

    def __init__(self, data: memoryview, starts: array[int], key: str) -> None:
        self._data = data
        self._starts = starts
        self._key = key

    def __len__(self) -> int:
        return len(self._starts) - 1

    def raw(self, index: int) -> bytes:
        """Return the bytes of one string, not decoded; ``index`` is from 0 to ``len - 1``."""
        if not 0 <= index < len(self):
            raise IndexError(f"{self._key}: index {index} of {len(self)}")
        return bytes(self._data[self._starts[index] : self._starts[index + 1] - 8])

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = index + len(self) if index < 0 else index
        return self._decode(position, self.raw(position))

    def __iter__(self) -> Iterator[str]:
        # One copy of all the bytes, then slices of it: a vocabulary has 300,000 strings.
        starts = self._starts
        first = starts[0]
        data = bytes(self._data[first : starts[-1]])
        for i, (begin, end) in enumerate(pairwise(starts)):
            raw = data[begin - first : end - first - 8]
            try:
                yield raw.decode()
            except UnicodeDecodeError:
                self._decode(i, raw)

    def _decode(self, index: int, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ModelFormatError(f"{self._key[:80]!r}: entry {index} is not UTF-8") from error


class HeaderReader:
    """Cursor over the header. Every error names the byte offset and what was being read."""

    __slots__ = ("_buffer", "_file", "position")

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        self._buffer = bytearray()
        self.position = 0

    @property
    def file_name(self) -> str:
        """Name of the file, for messages."""
        return self._file.name

    def fail(self, message: str, offset: int | None = None) -> ModelFormatError:
        """Build the error for something wrong at ``offset`` (default: the cursor)."""
        at = self.position if offset is None else offset
        return ModelFormatError(f"{self._file.name}: byte {at}: {message}")

    def fill(self, end: int, what: str) -> int:
        """Make bytes up to ``end`` available; return how many bytes are available."""
        have = len(self._buffer)
        if end <= have:
            return have
        if end > self._file.size:
            raise self.fail(
                f"the file ends at byte {self._file.size} inside {what}, "
                f"expected at least {end} bytes"
            )
        if end > MAX_HEADER_BYTES:
            raise self.fail(f"{what} leads beyond the {MAX_HEADER_BYTES} bytes a header may have")
        target = min(max(end, have + min(have, _GROWTH), _FIRST), self._file.size)
        self._buffer += self._file.read(have, target - have)
        return target

    def u32(self, what: str) -> int:
        """Read an unsigned 32-bit integer."""
        self.fill(self.position + 4, what)
        (value,) = _U32.unpack_from(self._buffer, self.position)
        self.position += 4
        return int(value)

    def u64(self, what: str) -> int:
        """Read an unsigned 64-bit integer."""
        self.fill(self.position + 8, what)
        (value,) = _U64.unpack_from(self._buffer, self.position)
        self.position += 8
        return int(value)

    def count(self, what: str, limit: int) -> int:
        """Read a 64-bit count or length that may not exceed ``limit``."""
        at = self.position
        value = self.u64(what)
        if value > limit:
            raise self.fail(f"{what} is {value}, expected at most {limit}", at)
        return value

    def string(self, what: str, limit: int) -> str:
        """Read a string of at most ``limit`` bytes; it must be UTF-8."""
        length = self.count(f"the length of {what}", limit)
        start = self.position
        self.fill(start + length, what)
        try:
            text = self._buffer[start : start + length].decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fail(f"{what} is not UTF-8") from error
        self.position = start + length
        return text

    def scalar(self, kind: int, what: str) -> int | float | bool:
        """Read one number or boolean of value type ``kind``."""
        _, layout, _ = SCALARS[kind]
        at = self.position
        self.fill(at + layout.size, what)
        (value,) = layout.unpack_from(self._buffer, at)
        if kind == BOOL:
            if value > 1:
                raise self.fail(f"{what} is a boolean of value {value}, expected 0 or 1")
            value = bool(value)
        self.position = at + layout.size
        number: int | float | bool = value
        return number

    def skip_array(self, key: str, string_limit: int) -> PendingArray:
        """Skip over an array, checking it, and remember where it is.

        The value is made by :meth:`PendingArray.value` when the header is complete: until then the
        buffer may move, so nothing may point into it.
        """
        what = f"the value of {key[:80]!r}"
        at = self.position
        kind = self.u32(f"the element type of {what}")
        if kind == ARRAY:
            raise self.fail(f"{what} is an array of arrays, expected no nesting", at)
        if kind != STRING and kind not in SCALARS:
            raise self.fail(f"{what} has the unknown element type {kind}", at)
        count = self.count(f"the number of elements of {what}", MAX_ARRAY_ELEMENTS)
        if kind == STRING:
            return PendingArray(kind, count, self._string_starts(count, what, string_limit))
        start = self.position
        n_bytes = count * SCALARS[kind][1].size
        self.fill(start + n_bytes, what)
        self.position = start + n_bytes
        if kind == BOOL and count and max(self._buffer[start : start + n_bytes]) > 1:
            raise self.fail(f"{what} holds a boolean that is neither 0 nor 1", start)
        return PendingArray(kind, count, start)

    def _string_starts(self, count: int, what: str, limit: int) -> array[int]:
        """Walk over ``count`` strings and return where each starts, and where one more would."""
        # One iteration per token of the vocabulary: locals keep 150,000 of them below 50 ms.
        unpack, buffer, fill = _U64.unpack_from, self._buffer, self.fill
        position = self.position
        available = len(buffer)
        starts = array("q")
        append = starts.append
        for index in range(count):
            after = position + 8
            if after > available:
                available = fill(after, what)
            (length,) = unpack(buffer, position)
            if length > limit:
                raise self.fail(
                    f"entry {index} of {what} has {length} bytes, expected at most {limit}",
                    position,
                )
            append(after)
            position = after + length
        fill(position, what)
        append(position + 8)
        self.position = position
        return starts

    def finish(self) -> memoryview:
        """Return the header's bytes, read-only; the reader is not used afterwards."""
        del self._buffer[self.position :]
        return memoryview(self._buffer).toreadonly()


class PendingArray:
    """An array that was checked and skipped; its value waits for the complete header."""

    __slots__ = ("_count", "_kind", "_start")

    def __init__(self, kind: int, count: int, start: int | array[int]) -> None:
        self._kind = kind
        self._count = count
        self._start = start

    def value(
        self, key: str, data: memoryview, octets: np.ndarray[Any, Any]
    ) -> LazyStrings | np.ndarray[Any, Any]:
        """Return the strings, or a read-only view of the numbers.

        ``data`` and ``octets`` (uint8) are the same header bytes. One array serves all views: a
        header of many empty arrays stays within the memory limit.
        """
        if not isinstance(self._start, int):
            return LazyStrings(data, self._start, key)
        _, layout, dtype = SCALARS[self._kind]
        end = self._start + self._count * layout.size
        return octets[self._start : end].view(np.bool_ if self._kind == BOOL else dtype)
