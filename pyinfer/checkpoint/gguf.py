"""Checked reader of GGUF files, versions 2 and 3, little endian.

Layout: magic, version, number of tensors, number of keys; the keys with their values; one record
per tensor; padding to ``general.alignment``; the tensors. Everything in front of the tensors is
read and validated when the file is opened, so that afterwards every tensor's byte range is known
to lie inside the file and to overlap no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyinfer.checkpoint import gguf_header as header
from pyinfer.checkpoint.formats import GGML_TYPES
from pyinfer.checkpoint.limits import (
    MAX_ALIGNMENT,
    MAX_DIMS,
    MAX_KEY_BYTES,
    MAX_KEYS,
    MAX_MERGE_BYTES,
    MAX_STRING_BYTES,
    MAX_TENSOR_NAME_BYTES,
    MAX_TENSORS,
    MAX_TOKEN_BYTES,
    MIN_ALIGNMENT,
)
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.errors import ModelFormatError, ModelUnsupportedError

MAGIC = 0x46554747  # "GGUF", read as a little-endian integer
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32

_STRING_LIMITS = {
    "tokenizer.ggml.tokens": MAX_TOKEN_BYTES,
    "tokenizer.ggml.merges": MAX_MERGE_BYTES,
}


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor record; its range was checked against the file.

    Attributes
    ----------
    name : str
        As in the file, such as ``blk.0.attn_q.weight``.
    dtype : str
        Name of the ggml type; not all of them run.
    shape : tuple of int
        Row-major, the reverse of the order in the file.
    offset, n_bytes : int
        Absolute position in the file and length.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    n_bytes: int


class GgufFile:
    """An open GGUF file.

    Attributes
    ----------
    version : int
        2 or 3.
    metadata : Mapping[str, object]
        Python numbers, booleans and strings; arrays of numbers are read-only NumPy views, arrays
        of strings are :class:`~pyinfer.checkpoint.gguf_header.LazyStrings`.
    kinds : Mapping[str, int]
        GGUF value type of each key.
    tensors : Mapping[str, GgufTensor]
        In the order of the file.
    data_offset : int
        Where the first tensor may begin.
    file : SourceFile
        For reading tensors.

    Raises
    ------
    ModelFormatError
        The file is damaged. The message gives the byte offset, key or tensor.
    ModelUnsupportedError
        Version, byte order or a tensor type that is not known.
    ModelNotFoundError, StoreIOError
        The file cannot be opened or read.
    """

    __slots__ = ("data_offset", "file", "kinds", "metadata", "tensors", "version")

    def __init__(self, path: Path) -> None:
        self.file = SourceFile(path)
        try:
            self._parse()
        except BaseException:
            self.file.close()
            raise

    def close(self) -> None:
        """Close the file. Metadata stays valid."""
        self.file.close()

    def _parse(self) -> None:
        reader = header.HeaderReader(self.file)
        self.version = _read_version(reader, self.file)
        n_tensors = reader.count("the number of tensors", MAX_TENSORS)
        n_keys = reader.count("the number of keys", MAX_KEYS)
        values, self.kinds = _read_metadata(reader, n_keys)
        alignment = _alignment(values, self.file.name)
        records = _read_tensor_records(reader, n_tensors, alignment)
        self.data_offset = -(-reader.position // alignment) * alignment
        data = reader.finish()
        octets = np.frombuffer(data, dtype=np.uint8)
        for key, value in values.items():
            if isinstance(value, header.PendingArray):
                values[key] = value.value(key, data, octets)
        _place(records, self.data_offset, self.file)
        self.metadata: Mapping[str, Any] = values
        self.tensors: Mapping[str, GgufTensor] = records


def _read_version(reader: header.HeaderReader, file: SourceFile) -> int:
    magic = reader.u32("the magic number")
    if magic != MAGIC:
        hint = "run 'git lfs pull' to fetch the model" if magic == 0x73726576 else ""  # "vers"
        what = "a Git LFS pointer, not the model itself" if hint else "not a GGUF file"
        raise ModelFormatError(
            f"{file.name}: {what}: expected the first bytes 'GGUF', found 0x{magic:08x}", hint=hint
        )
    version = reader.u32("the version")
    if version in VERSIONS:
        return version
    if version & 0xFFFF == 0 and version:
        raise ModelUnsupportedError(
            f"{file.name}: a big-endian GGUF file; only little-endian files run"
        )
    raise ModelUnsupportedError(
        f"{file.name}: GGUF version {version}; what runs: versions {VERSIONS[0]} and {VERSIONS[1]}"
    )


def _read_metadata(
    reader: header.HeaderReader, n_keys: int
) -> tuple[dict[str, Any], Mapping[str, int]]:
    values: dict[str, Any] = {}
    kinds: dict[str, int] = {}
    for index in range(n_keys):
        at = reader.position
        key = reader.string(f"key {index}", MAX_KEY_BYTES)
        if not key:
            raise reader.fail(f"key {index} is empty", at)
        if key in values:
            raise reader.fail(f"key {key[:80]!r} appears twice", at)
        what = f"the value of {key[:80]!r}"
        at = reader.position
        kind = kinds[key] = reader.u32(f"the type of {key[:80]!r}")
        if kind == header.STRING:
            values[key] = reader.string(what, MAX_STRING_BYTES)
        elif kind == header.ARRAY:
            values[key] = reader.skip_array(key, _STRING_LIMITS.get(key, MAX_STRING_BYTES))
        elif kind in header.SCALARS:
            values[key] = reader.scalar(kind, what)
        else:
            raise reader.fail(f"{what} has the unknown type {kind}", at)
    return values, kinds


def _alignment(values: Mapping[str, Any], name: str) -> int:
    alignment = values.get("general.alignment", DEFAULT_ALIGNMENT)
    if (
        isinstance(alignment, bool)
        or not isinstance(alignment, int)
        or not MIN_ALIGNMENT <= alignment <= MAX_ALIGNMENT
        or alignment & (alignment - 1)
    ):
        found = alignment if isinstance(alignment, int) else type(alignment).__name__
        raise ModelFormatError(
            f"{name}: general.alignment must be a power of two from {MIN_ALIGNMENT} to "
            f"{MAX_ALIGNMENT}, found {found}"
        )
    return alignment


def _read_tensor_records(
    reader: header.HeaderReader, n_tensors: int, alignment: int
) -> dict[str, GgufTensor]:
    """Read the records; offsets are still relative to the start of the data."""
    records: dict[str, GgufTensor] = {}
    for index in range(n_tensors):
        at = reader.position
        name = reader.string(f"the name of tensor {index}", MAX_TENSOR_NAME_BYTES)
        if not name:
            raise reader.fail(f"the name of tensor {index} is empty", at)
        if name in records:
            raise reader.fail(f"tensor {name!r} appears twice", at)
        records[name] = _read_record(reader, name, alignment)
    return records


def _read_record(reader: header.HeaderReader, name: str, alignment: int) -> GgufTensor:
    at = reader.position
    n_dims = reader.u32(f"the dimension count of tensor {name!r}")
    if not 1 <= n_dims <= MAX_DIMS:
        raise reader.fail(f"tensor {name!r} has {n_dims} dimensions, expected 1 to {MAX_DIMS}", at)
    dims = [reader.u64(f"the dimensions of tensor {name!r}") for _ in range(n_dims)]
    if min(dims) < 1:
        raise reader.fail(f"tensor {name!r} has dimensions {dims}, expected each at least 1", at)
    at = reader.position
    kind = reader.u32(f"the type of tensor {name!r}")
    if kind not in GGML_TYPES:
        raise ModelUnsupportedError(
            f"{reader.file_name}: byte {at}: tensor {name!r} has the unknown type {kind}"
        )
    dtype, block, block_bytes = GGML_TYPES[kind]
    if dims[0] % block:
        raise reader.fail(
            f"tensor {name!r} has rows of {dims[0]} values, expected a multiple of {block} "
            f"for {dtype}",
            at,
        )
    at = reader.position
    offset = reader.u64(f"the offset of tensor {name!r}")
    if offset % alignment:
        raise reader.fail(
            f"tensor {name!r} is at offset {offset}, expected a multiple of {alignment}", at
        )
    n_bytes = block_bytes * (dims[0] // block)
    for dim in dims[1:]:
        n_bytes *= dim
    return GgufTensor(name, dtype, tuple(reversed(dims)), offset, n_bytes)


def _place(records: dict[str, GgufTensor], data_offset: int, file: SourceFile) -> None:
    """Make offsets absolute, in place; refuse ranges outside the file or over each other."""
    end, previous = data_offset, ""
    for name in sorted(records, key=lambda n: records[n].offset):
        tensor = replace(records[name], offset=data_offset + records[name].offset)
        records[name] = tensor
        if tensor.offset + tensor.n_bytes > file.size:
            raise ModelFormatError(
                f"{file.name}: tensor {tensor.name!r} needs bytes {tensor.offset} to "
                f"{tensor.offset + tensor.n_bytes}, but the file has {file.size}",
                hint="the download or copy is incomplete",
            )
        if tensor.offset < end:
            raise ModelFormatError(
                f"{file.name}: tensor {tensor.name!r} at byte {tensor.offset} overlaps "
                f"{previous!r}, which ends at byte {end}"
            )
        end, previous = tensor.offset + tensor.n_bytes, tensor.name
