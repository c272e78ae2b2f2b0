"""A GGUF file in pieces that can be changed one by one and written again, right or wrong.

The reader is tolerant and written apart from the one under test: what it cannot follow ends up in
the bytes after the header.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

STRING, ARRAY = 8, 9
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_ALIGNMENT = 32
_MOST = 4096  # keys, tensors or elements that are followed

U32, U64 = struct.Struct("<I"), struct.Struct("<Q")


@dataclass(slots=True)
class Value:
    """A metadata value: raw bytes, or the elements of an array of strings."""

    kind: int
    raw: bytes = b""
    element: int = 0
    strings: list[bytes] | None = None


@dataclass(slots=True)
class Record:
    """A tensor record."""

    name: bytes
    dims: list[int]
    kind: int
    offset: int


@dataclass(slots=True)
class Pieces:
    """A file; the counts that the header claims are what is there plus the two deltas."""

    version: int = 3
    pairs: list[tuple[bytes, Value]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    data: bytes = b""
    more_pairs: int = 0
    more_records: int = 0
    alignment: int = _ALIGNMENT

    def write(self) -> tuple[bytearray, list[tuple[int, int]]]:
        """Return the file, and (position, bytes) of every number that shapes it."""
        out = _Out()
        out.data += b"GGUF"
        out.number(U32, self.version)
        out.number(U64, len(self.records) + self.more_records)
        out.number(U64, len(self.pairs) + self.more_pairs)
        for key, value in self.pairs:
            out.text(key)
            out.number(U32, value.kind)
            _write_value(out, value)
        for record in self.records:
            out.text(record.name)
            out.number(U32, len(record.dims))
            for dim in record.dims:
                out.number(U64, dim)
            out.number(U32, record.kind)
            out.number(U64, record.offset)
        out.data += bytes(-len(out.data) % self.alignment) + self.data
        return out.data, out.numbers


class _Out:
    def __init__(self) -> None:
        self.data = bytearray()
        self.numbers: list[tuple[int, int]] = []

    def number(self, layout: struct.Struct, value: int) -> None:
        self.numbers.append((len(self.data), layout.size))
        self.data += layout.pack(value & ((1 << 8 * layout.size) - 1))

    def text(self, raw: bytes) -> None:
        self.number(U64, len(raw))
        self.data += raw


def _write_value(out: _Out, value: Value) -> None:
    if value.kind == STRING:
        out.text(value.raw)
    elif value.kind != ARRAY:
        out.data += value.raw
    elif value.strings is not None:
        out.number(U32, STRING)
        out.number(U64, len(value.strings))
        for text in value.strings:
            out.text(text)
    else:
        size = SIZES.get(value.element, 1)
        out.number(U32, value.element)
        out.number(U64, len(value.raw) // size)
        out.data += value.raw


class _In:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, n: int) -> bytes:
        if n > len(self.data) - self.at:
            raise EOFError
        self.at += n
        return self.data[self.at - n : self.at]

    def u32(self) -> int:
        return int(U32.unpack(self.take(4))[0])

    def u64(self) -> int:
        return int(U64.unpack(self.take(8))[0])

    def text(self) -> bytes:
        return self.take(self.u64())


def read(data: bytes) -> Pieces:
    """Take a file apart as far as it can be followed."""
    source, found = _In(data), Pieces()
    try:
        source.take(4)
        found.version = source.u32()
        n_records, n_pairs = source.u64(), source.u64()
        for _ in range(min(n_pairs, _MOST)):
            found.pairs.append((source.text(), _read_value(source)))
        for _ in range(min(n_records, _MOST)):
            name, n_dims = source.text(), source.u32()
            dims = [source.u64() for _ in range(min(n_dims, 8))]
            found.records.append(Record(name, dims, source.u32(), source.u64()))
    except EOFError:
        pass
    for key, value in found.pairs:
        if key == b"general.alignment" and len(value.raw) == 4:
            claimed = U32.unpack(value.raw)[0]
            found.alignment = claimed if 8 <= claimed <= 4096 else _ALIGNMENT
    found.data = data[-(-source.at // found.alignment) * found.alignment :]
    return found


def _read_value(source: _In) -> Value:
    kind = source.u32()
    if kind == STRING:
        return Value(kind, source.text())
    if kind != ARRAY:
        return Value(kind, source.take(SIZES.get(kind, 0)))
    element, count = source.u32(), source.u64()
    if element == STRING:
        return Value(
            kind, element=element, strings=[source.text() for _ in range(min(count, _MOST))]
        )
    return Value(kind, source.take(count * SIZES.get(element, 1)), element)
