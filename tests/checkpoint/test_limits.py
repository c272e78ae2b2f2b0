"""Every limit on GGUF files: accepted at the limit, refused one past it; memory while parsing."""

from __future__ import annotations

import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyinfer.checkpoint import limits
from pyinfer.checkpoint.gguf import GgufFile
from pyinfer.errors import ModelFormatError

from .gguf_bytes import ARR, STR, U8, U64, Array, Tensor, build

Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(data: bytes) -> Path:
        path = tmp_path / "m.gguf"
        path.write_bytes(data)
        return path

    return to_file


def refuse(path: Path, match: str) -> None:
    with pytest.raises(ModelFormatError, match=match):
        GgufFile(path)


def short_name(i: int) -> str:
    return "".join(chr(33 + (i // 90**p) % 90) for p in range(3))


def many_keys(n: int) -> bytes:
    return build([(short_name(i), U8, 1) for i in range(n)]).data


def many_tensors(n: int) -> bytes:
    one = bytes(4)
    return build([], [Tensor(short_name(i), (1,), 0, one) for i in range(n)]).data


LIMITS: list[tuple[str, Callable[[int], bytes], int, str]] = [
    ("keys", many_keys, limits.MAX_KEYS, "number of keys is 65537"),
    ("tensors", many_tensors, limits.MAX_TENSORS, "number of tensors is 65537"),
    (
        "key length",
        lambda n: build([("k" * n, U8, 1)]).data,
        limits.MAX_KEY_BYTES,
        "length of key 0 is 65536",
    ),
    (
        "tensor name",
        lambda n: build([], [Tensor("t" * n, (1,), 0, bytes(4))]).data,
        limits.MAX_TENSOR_NAME_BYTES,
        "length of the name of tensor 0 is 65",
    ),
    (
        "string",
        lambda n: build([("s", STR, "x" * n)]).data,
        limits.MAX_STRING_BYTES,
        "length of the value of 's' is 16777217",
    ),
    (
        "array string",
        lambda n: build([("s", ARR, Array(STR, ["x" * n]))]).data,
        limits.MAX_STRING_BYTES,
        "entry 0 of the value of 's' has 16777217 bytes",
    ),
    (
        "token",
        lambda n: build([("tokenizer.ggml.tokens", ARR, Array(STR, ["", "x" * n]))]).data,
        limits.MAX_TOKEN_BYTES,
        "entry 1 of .* has 4097 bytes",
    ),
    (
        "merge",
        lambda n: build([("tokenizer.ggml.merges", ARR, Array(STR, ["x" * n]))]).data,
        limits.MAX_MERGE_BYTES,
        "has 8194 bytes",
    ),
    (
        "array elements",
        lambda n: build([("a", ARR, Array(U8, bytes(n)))]).data,
        limits.MAX_ARRAY_ELEMENTS,
        "number of elements of the value of 'a' is 4194305",
    ),
]


@pytest.mark.parametrize(
    ("make", "limit", "message"), [x[1:] for x in LIMITS], ids=[x[0] for x in LIMITS]
)
def test_limit(write: Write, make: Callable[[int], bytes], limit: int, message: str) -> None:
    GgufFile(write(make(limit))).close()
    refuse(write(make(limit + 1)), message)


def test_header_region_limit(tmp_path: Path) -> None:
    """A sparse file whose arrays of zeros lead past the limit is refused in bounded memory."""
    path = tmp_path / "wide.gguf"
    n = limits.MAX_ARRAY_ELEMENTS
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, 5))
        for i in range(5):
            file.write(struct.pack("<Q2sIIQ", 2, f"k{i}".encode(), ARR, U64, n))
            file.seek(8 * n, os.SEEK_CUR)
        file.write(bytes(8))
    refuse(path, "leads beyond the 134217728 bytes a header may have")


def test_duplicates_are_found_in_linear_time(write: Write) -> None:
    pairs = [(short_name(i), U8, 1) for i in range(limits.MAX_KEYS - 1)]
    refuse(write(build([*pairs, pairs[0]]).data), "appears twice")


@pytest.mark.parametrize("value", [(STR, ""), (ARR, Array(STR, []))], ids=["text", "empty list"])
def test_memory_of_many_keys(write: Write, value: tuple[int, Any]) -> None:
    data = build([(short_name(i), *value) for i in range(limits.MAX_KEYS)]).data
    assert peak_memory(write(data)) < 4 * len(data) + (16 << 20)


def test_memory_of_many_tensors(write: Write) -> None:
    data = many_tensors(limits.MAX_TENSORS)
    header = len(data) - 32 * limits.MAX_TENSORS
    assert peak_memory(write(data)) < 4 * header + (16 << 20)


def test_memory_of_many_strings(write: Write) -> None:
    data = build([("w", ARR, Array(STR, [""] * (1 << 16)))]).data
    assert peak_memory(write(data)) < 4 * len(data) + (16 << 20)


def peak_memory(path: Path) -> int:
    tracemalloc.start()
    try:
        file = GgufFile(path)
        file.close()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
