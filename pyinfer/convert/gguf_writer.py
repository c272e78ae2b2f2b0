"""Streaming writer of GGUF files, version 3, little endian.

The header is complete before the first tensor byte is written, because names, types and sizes of
all tensors are known from the plan; tensors then follow in order, slice by slice. What it writes
is what :mod:`pyinfer.checkpoint.gguf` reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from pyinfer.checkpoint.formats import GGML_TYPES
from pyinfer.checkpoint.gguf import DEFAULT_ALIGNMENT, MAGIC, GgufFile
from pyinfer.checkpoint.gguf_header import ARRAY, BOOL, SCALARS, STRING, LazyStrings
from pyinfer.convert.output_file import OutputFile

VERSION = 3

_TYPE_IDS = {name: (kind, block, size) for kind, (name, block, size) in GGML_TYPES.items()}
_ELEMENT_KINDS = {np.dtype(dtype): kind for kind, (_, _, dtype) in SCALARS.items() if kind != BOOL}
_ALIGNMENT_KEY = "general.alignment"


@dataclass(frozen=True, slots=True)
class Pair:
    """One key of the metadata.

    Attributes
    ----------
    key : str
    kind : int
        GGUF value type; ARRAY for arrays.
    value : object
        Number, boolean or string; for arrays a sequence of str, or a NumPy array of numbers or
        booleans, whose dtype is the element type.
    """

    key: str
    kind: int
    value: Any


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One tensor to write: GGUF name, format, row-major shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes of the tensor in the file."""
        _, block, size = _TYPE_IDS[self.dtype]
        values = 1
        for dim in self.shape:
            values *= dim
        return values // block * size


def metadata_pairs(file: GgufFile) -> list[Pair]:
    """Return the metadata of an open file, each value with the type it has there."""
    return [Pair(key, file.kinds[key], value) for key, value in file.metadata.items()]


def header_bytes(pairs: Sequence[Pair], tensors: Sequence[OutputTensor]) -> bytes:
    """Return everything in front of the first tensor, padding included.

    Raises
    ------
    ValueError
        A value does not fit its type, a key or name appears twice, or rows are no multiple of the
        block.
    """
    if len({pair.key for pair in pairs}) < len(pairs):
        raise ValueError("a key appears twice")
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise ValueError("a tensor appears twice")
    alignment = _alignment(pairs)
    out = bytearray()
    out += MAGIC.to_bytes(4, "little") + VERSION.to_bytes(4, "little")
    out += len(tensors).to_bytes(8, "little") + len(pairs).to_bytes(8, "little")
    for pair in pairs:
        out += _string(pair.key)
        out += pair.kind.to_bytes(4, "little")
        out += _value(pair.kind, pair.value)
    offset = 0
    for tensor in tensors:
        kind, block, _ = _TYPE_IDS[tensor.dtype]
        if tensor.shape[-1] % block:
            raise ValueError(f"{tensor.name}: rows of {tensor.shape[-1]} in {tensor.dtype}")
        out += _string(tensor.name) + len(tensor.shape).to_bytes(4, "little")
        for dim in reversed(tensor.shape):
            out += dim.to_bytes(8, "little")
        out += kind.to_bytes(4, "little") + offset.to_bytes(8, "little")
        offset += _padded(tensor.n_bytes, alignment)
    if tensors:
        out += bytes(-len(out) % alignment)
    return bytes(out)


def _alignment(pairs: Iterable[Pair]) -> int:
    return next((int(p.value) for p in pairs if p.key == _ALIGNMENT_KEY), DEFAULT_ALIGNMENT)


def _padded(n_bytes: int, alignment: int) -> int:
    return -(-n_bytes // alignment) * alignment


def _string(text: str | bytes) -> bytes:
    raw = text.encode("utf-8") if isinstance(text, str) else text
    return len(raw).to_bytes(8, "little") + raw


def _value(kind: int, value: Any) -> bytes:
    if kind == STRING:
        return _string(value)
    if kind == ARRAY:
        return _array(value)
    try:
        return SCALARS[kind][1].pack(value)
    except Exception as error:  # struct.error, OverflowError
        raise ValueError(f"{value!r} is no {SCALARS[kind][0]}") from error


def _array(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        kind = BOOL if value.dtype == np.bool_ else _ELEMENT_KINDS[value.dtype]
        raw = np.ascontiguousarray(value).tobytes()
        return kind.to_bytes(4, "little") + len(value).to_bytes(8, "little") + raw
    lazy = isinstance(value, LazyStrings)
    texts = (value.raw(i) for i in range(len(value))) if lazy else value
    head = STRING.to_bytes(4, "little") + len(value).to_bytes(8, "little")
    return head + b"".join(_string(text) for text in texts)


class GgufWriter:
    """Writes one file; a context manager.

    At the end of the block the file is published, if the block was left without an exception;
    otherwise nothing remains.

    Parameters
    ----------
    path : Path
        Where the file appears.
    pairs : sequence of Pair
        Metadata, in the order of the file.
    tensors : sequence of OutputTensor
        In the order in which :meth:`write` delivers their bytes.
    force : bool
        Replace an existing file.

    Raises
    ------
    UsageError, StoreFullError, StoreIOError
        As :class:`~pyinfer.convert.output_file.OutputFile`.
    ValueError
        As :func:`header_bytes`.
    """

    def __init__(
        self,
        path: Path,
        pairs: Sequence[Pair],
        tensors: Sequence[OutputTensor],
        *,
        force: bool = False,
    ) -> None:
        header = header_bytes(pairs, tensors)
        self._alignment = _alignment(pairs)
        self._sizes = [tensor.n_bytes for tensor in tensors]
        self._index = 0  # the tensor being written
        self._done = 0  # its bytes so far
        data_bytes = sum(_padded(size, self._alignment) for size in self._sizes)
        #: Size of the finished file in bytes.
        self.n_bytes = len(header) + data_bytes
        self._file = OutputFile(path, self.n_bytes, force=force)
        try:
            self._file.write(header)
        except BaseException:
            self._file.discard()
            raise

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes of the current tensor; a full one is padded and the next one begins.

        Raises
        ------
        ValueError
            More bytes than the tensor has.
        StoreFullError, StoreIOError
            The disk is full or the write failed.
        """
        size = self._sizes[self._index]
        length = memoryview(data).nbytes
        if self._done + length > size:
            raise ValueError(f"tensor {self._index}: {self._done + length} bytes of {size}")
        self._file.write(data)
        self._done += length
        if self._done == size:
            self._file.write(bytes(-size % self._alignment))
            self._index, self._done = self._index + 1, 0

    def __enter__(self) -> GgufWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            if kind is None:
                if self._index < len(self._sizes):
                    raise ValueError(f"{len(self._sizes) - self._index} tensors are missing")
                self._file.publish()
