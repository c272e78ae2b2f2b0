"""The GGUF reader against the ``gguf`` package, at every limit, and on every wrong structure."""

from __future__ import annotations

import os
import string
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyinfer.checkpoint.formats import GGML_TYPES
from pyinfer.checkpoint.gguf import GgufFile
from pyinfer.checkpoint.gguf_header import LazyStrings
from pyinfer.errors import ModelFormatError, ModelNotFoundError, ModelUnsupportedError, StoreIOError

from .gguf_bytes import (
    ARR,
    BOOL,
    CODES,
    F32,
    I32,
    STR,
    U8,
    U32,
    U64,
    Array,
    Tensor,
    build,
    small_model,
    small_pairs,
    small_tensors,
)

Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(data: bytes) -> Path:
        path = tmp_path / "m.gguf"
        path.write_bytes(data)
        return path

    return to_file


def refuse(path: Path, match: str, kind: type[Exception] = ModelFormatError) -> None:
    with pytest.raises(kind, match=match):
        GgufFile(path)


# --- against the gguf package -------------------------------------------------------------


def compare_with_package(path: Path) -> None:
    ours, theirs = GgufFile(path), gguf.GGUFReader(path)
    assert list(ours.tensors) == [t.name for t in theirs.tensors]
    for t in theirs.tensors:
        mine = ours.tensors[t.name]
        assert mine.shape == tuple(reversed(t.shape.tolist()))
        assert mine.dtype == t.tensor_type.name.lower()
        assert (mine.offset, mine.n_bytes) == (t.data_offset, t.n_bytes)
        assert ours.file.read(mine.offset, mine.n_bytes) == t.data.tobytes()
    assert ours.data_offset == theirs.data_offset
    keys = [key for key in theirs.fields if not key.startswith("GGUF.")]
    assert list(ours.metadata) == keys
    for key in keys:
        value, expected = ours.metadata[key], theirs.fields[key].contents()
        if isinstance(value, LazyStrings | np.ndarray):
            assert list(value) == expected
        else:
            assert value == expected or (value != value and expected != expected)
    ours.close()


@pytest.mark.parametrize("version", [2, 3])
def test_small_model_equals_the_package(write: Write, version: int) -> None:
    path = write(build(small_pairs(), small_tensors(), version=version, alignment=64).data)
    compare_with_package(path)
    with_file = GgufFile(path)
    assert with_file.version == version
    with_file.close()


def test_every_ggml_type_equals_the_package(write: Write) -> None:
    tensors = [
        Tensor(name, (block * 2, 3), kind, os.urandom(size * 6))
        for kind, (name, block, size) in GGML_TYPES.items()
    ]
    compare_with_package(write(build([], tensors).data))
    assert {int(k): v for k, v in gguf.GGML_QUANT_SIZES.items()} == {
        kind: (block, size) for kind, (_, block, size) in GGML_TYPES.items()
    }


texts = st.text(st.characters(codec="utf-8"), max_size=30)
numbers = {
    "uint8": st.integers(0, 255),
    "int8": st.integers(-128, 127),
    "uint16": st.integers(0, 2**16 - 1),
    "int16": st.integers(-(2**15), 2**15 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float32": st.floats(width=32, allow_nan=False),
    "float64": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "string": texts,
}
values = st.one_of(
    *(st.tuples(st.just(kind), strategy) for kind, strategy in numbers.items()),
    *(
        st.tuples(st.just("array"), st.lists(numbers[kind], min_size=1, max_size=9))
        for kind in ("int32", "float32", "bool", "string")
    ),
)
keys = st.text(string.ascii_lowercase + "._", min_size=1, max_size=20).map("k".__add__)
shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    metadata=st.dictionaries(keys, values, max_size=8),
    tensors=st.dictionaries(keys, st.tuples(shapes, st.sampled_from(["F32", "F16", "Q8_0"]))),
    alignment=st.sampled_from([8, 32, 256]),
)
def test_files_of_the_package_read_equal(
    tmp_path: Path, metadata: dict[str, Any], tensors: dict[str, Any], alignment: int
) -> None:
    path = tmp_path / "random.gguf"
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_custom_alignment(alignment)
    for key, (kind, value) in metadata.items():
        getattr(writer, f"add_{kind}")(key, value)
    for name, (shape, kind) in tensors.items():
        qtype = gguf.GGMLQuantizationType[kind]
        data = np.arange(np.prod(shape) * 32, dtype=np.float32).reshape(*shape[:-1], -1)
        writer.add_tensor(name, gguf.quants.quantize(data, qtype), raw_dtype=qtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    compare_with_package(path)


def test_values_have_plain_types(write: Write) -> None:
    metadata = GgufFile(write(small_model().data)).metadata
    assert type(metadata["qwen2.embedding_length"]) is int
    assert type(metadata["qwen2.rope.freq_base"]) is float
    assert metadata["tokenizer.ggml.add_bos_token"] is False
    array = metadata[f"x.a{I32}"]
    assert (array.dtype, array.tolist()) == (np.dtype("<i4"), [1, 0])
    assert not array.flags.writeable
    assert metadata[f"x.a{BOOL}"].dtype == np.bool_


def test_lazy_strings(write: Write) -> None:
    words = ["a", "", "日本", "b" * 500]
    data = build([("w", ARR, Array(STR, words)), ("bad", ARR, Array(STR, ["x", b"\xff"]))]).data
    metadata = GgufFile(write(data)).metadata
    strings = metadata["w"]
    assert len(strings) == 4
    assert list(strings) == words
    assert [strings[i] for i in range(-4, 4)] == words + words
    assert strings[1:3] == words[1:3]
    assert strings.raw(2) == "日本".encode()
    for index in (4, -5):
        with pytest.raises(IndexError):
            strings[index]
    # Only the entry that is asked for is decoded.
    assert metadata["bad"][0] == "x"
    with pytest.raises(ModelFormatError, match="'bad': entry 1 is not UTF-8"):
        list(metadata["bad"])


# --- structure ------------------------------------------------------------------------------


def test_magic_and_version(write: Write) -> None:
    refuse(write(b""), r"m\.gguf: byte 0: the file ends at byte 0")
    refuse(write(b"GGU"), "the file ends at byte 3")
    refuse(write(b"GGML" + bytes(40)), "not a GGUF file")
    refuse(write(b"version https://git-lfs.github.com/spec/v1\n"), "git lfs pull")
    for version in (0, 1, 4):
        data = build([], version=version).data
        refuse(write(data), f"GGUF version {version}", ModelUnsupportedError)
    big_endian = b"GGUF" + struct.pack(">IQQ", 3, 0, 0)
    refuse(write(big_endian), "big-endian", ModelUnsupportedError)


def test_wrong_keys_and_values(write: Write) -> None:
    refuse(write(build([("", U32, 1)]).data), "key 0 is empty")
    refuse(write(build([(b"\xff", U32, 1)]).data), "key 0 is not UTF-8")
    refuse(write(build([("twice", U32, 1), ("twice", U8, 1)]).data), "'twice' appears twice")
    refuse(write(build([("s", STR, b"\xc3")]).data), "the value of 's' is not UTF-8")
    refuse(write(build([("b", BOOL, 2)]).data), "'b' is a boolean of value 2")
    refuse(write(build([("b", ARR, Array(BOOL, [0, 1, 7]))]).data), "neither 0 nor 1")
    nested = bytearray(build([("n", ARR, Array(U32, [9, 0, 0]))]).data)
    nested[nested.index(b"n") + 5] = ARR
    refuse(write(bytes(nested)), "array of arrays")
    for kind in (13, 255):
        bad = bytearray(build([("k", U32, 1)]).data)
        bad[bad.index(b"k") + 1] = kind
        refuse(write(bytes(bad)), f"unknown type {kind}")


@pytest.mark.parametrize(
    ("kind", "value", "good"),
    [
        *((U32, n, n in (8, 16, 65536)) for n in (0, 1, 4, 7, 8, 9, 12, 16, 48, 65536, 131072)),
        (U64, 64, True),
        (I32, -8, False),
        (F32, 32.0, False),
        (STR, "32", False),
        (BOOL, 1, False),
        (ARR, Array(U32, [32]), False),
    ],
)
def test_alignment(write: Write, kind: int, value: Any, good: bool) -> None:
    path = write(build([("general.alignment", kind, value)]).data)
    if good:
        GgufFile(path).close()
    else:
        refuse(path, r"general\.alignment must be a power of two from 8 to 65536")


def one_tensor(**changes: Any) -> bytes:
    fields = {"name": "t", "dims": (32, 2), "kind": 0, "data": bytes(256), "offset": None}
    return build([], [Tensor(**(fields | changes))]).data


def test_wrong_tensor_records(write: Write) -> None:
    refuse(write(one_tensor(dims=())), "has 0 dimensions")
    refuse(write(one_tensor(dims=(2, 2, 2, 2, 2))), "has 5 dimensions")
    refuse(write(one_tensor(dims=(32, 0))), "expected each at least 1")
    refuse(write(one_tensor(dims=(2**63, 2**63))), "needs bytes")
    refuse(write(one_tensor(name="")), "the name of tensor 0 is empty")
    refuse(write(one_tensor(kind=8, dims=(33, 2))), "rows of 33 values")
    refuse(write(one_tensor(offset=16)), "is at offset 16, expected a multiple of 32")
    for kind in (4, 5, 31, 42, 2**32 - 1):
        refuse(write(one_tensor(kind=kind)), f"unknown type {kind}", ModelUnsupportedError)
    double = build([], [Tensor("t", (1,), 0, bytes(4)), Tensor("t", (1,), 0, bytes(4))])
    refuse(write(double.data), "tensor 't' appears twice")
    over = [Tensor("a", (16,), 0, bytes(64)), Tensor("b", (8,), 0, bytes(32), offset=32)]
    refuse(write(build([], over).data), "'b' at byte .* overlaps 'a'")
    GgufFile(write(one_tensor(dims=(2, 2, 2, 8)))).close()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 12).map(lambda n: n * 16), st.integers(1, 30)),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 60),
)
def test_ranges(tmp_path: Path, places: list[tuple[int, int]], cut: int) -> None:
    """Ranges are accepted exactly if they are aligned, inside the file and apart."""
    tensors = [
        Tensor(f"t{i}", (n,), 0, bytes(4 * n), offset) for i, (offset, n) in enumerate(places)
    ]
    data = build([], tensors).data
    data_size = max(offset + 4 * n for offset, n in places) - cut
    path = tmp_path / "r.gguf"
    path.write_bytes(data[: len(data) - cut])
    taken = [byte for offset, n in places for byte in range(offset, offset + 4 * n)]
    good = (
        all(offset % 32 == 0 for offset, _ in places)
        and max(taken) < data_size
        and len(set(taken)) == len(taken)
    )
    if good:
        GgufFile(path).close()
    else:
        with pytest.raises(ModelFormatError):
            GgufFile(path)


# --- files ----------------------------------------------------------------------


def test_unreadable_paths(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        GgufFile(tmp_path / "nothing.gguf")
    with pytest.raises(ModelFormatError, match="not a regular file"):
        GgufFile(tmp_path)
    loop = tmp_path / "loop.gguf"
    loop.symlink_to(loop)
    with pytest.raises(StoreIOError):
        GgufFile(loop)


def test_codes_cover_all_value_types() -> None:
    assert len(CODES) + 2 == len(gguf.GGUFValueType)
