"""Whatever is written is read back the same, by our reader and by the gguf package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyinfer.checkpoint.formats import GGML_TYPES
from pyinfer.checkpoint.gguf import GgufFile
from pyinfer.checkpoint.gguf_header import ARRAY, BOOL, SCALARS, STRING, LazyStrings
from pyinfer.convert.gguf_writer import GgufWriter, OutputTensor, Pair, metadata_pairs

from ..checkpoint.gguf_bytes import small_model

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
KEYS = TEXTS.filter(lambda key: key not in ("", "general.alignment", "general.architecture"))


@st.composite
def scalars(draw: st.DrawFn) -> tuple[int, Any]:
    kind = draw(st.sampled_from(sorted(SCALARS)))
    if kind == BOOL:
        return kind, draw(st.booleans())
    dtype = np.dtype(SCALARS[kind][2])
    if dtype.kind == "f":
        return kind, draw(st.floats(width=8 * dtype.itemsize, allow_nan=False))
    info = np.iinfo(dtype)
    return kind, draw(st.integers(int(info.min), int(info.max)))


@st.composite
def pairs(draw: st.DrawFn) -> list[Pair]:
    found = [Pair("general.architecture", STRING, "qwen2")]
    for key in draw(st.lists(KEYS, max_size=6, unique=True)):
        form = draw(st.sampled_from(("scalar", "text", "texts", "numbers")))
        if form == "text":
            found.append(Pair(key, STRING, draw(TEXTS)))
        elif form == "texts":
            found.append(Pair(key, ARRAY, draw(st.lists(TEXTS, min_size=1, max_size=4))))
        else:
            kind, value = draw(scalars())
            if form == "numbers":
                dtype = "?" if kind == BOOL else SCALARS[kind][2]
                kind, value = ARRAY, np.array([value] * draw(st.integers(1, 3)), dtype)
            found.append(Pair(key, kind, value))
    if draw(st.booleans()):
        found.append(Pair("general.alignment", 4, draw(st.sampled_from((8, 32, 256)))))
    return found


@st.composite
def tensors(draw: st.DrawFn) -> list[OutputTensor]:
    names = draw(st.lists(st.from_regex(r"[a-z.]{1,20}", fullmatch=True), max_size=4, unique=True))
    found = []
    for name in names:
        dtype, block, _ = GGML_TYPES[draw(st.sampled_from((0, 1, 2, 8, 12, 30)))]
        shape = (block * draw(st.integers(1, 3)),)
        if draw(st.booleans()):
            shape = (draw(st.integers(1, 4)), *shape)
        found.append(OutputTensor(name, dtype, shape))
    return found


def write(path: Path, keys: list[Pair], specs: list[OutputTensor], step: int) -> list[bytes]:
    rng = np.random.default_rng(step)
    # Values that are no NaN in any format, so that the package compares equal.
    data = [rng.integers(0, 60, spec.n_bytes, np.uint8).tobytes() for spec in specs]
    with GgufWriter(path, keys, specs, force=True) as writer:
        for raw in data:
            for first in range(0, len(raw), step):
                writer.write(raw[first : first + step])
    assert path.stat().st_size == writer.n_bytes
    return data


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(keys=pairs(), specs=tensors(), step=st.integers(1, 400))
def test_both_readers_read_what_was_written(
    tmp_path: Path, keys: list[Pair], specs: list[OutputTensor], step: int
) -> None:
    path = tmp_path / "model.gguf"
    data = write(path, keys, specs, step)
    file = GgufFile(path)
    try:
        assert list(file.metadata) == [pair.key for pair in keys]
        for pair in keys:
            assert file.kinds[pair.key] == pair.kind
            value = file.metadata[pair.key]
            if pair.kind == ARRAY and not isinstance(pair.value, list):
                assert value.dtype == pair.value.dtype
                assert np.array_equal(value, pair.value)
            else:
                assert (list(value) if isinstance(value, LazyStrings) else value) == pair.value
        assert [(t.name, t.dtype, t.shape) for t in file.tensors.values()] == [
            (t.name, t.dtype, t.shape) for t in specs
        ]
        for tensor, raw in zip(file.tensors.values(), data, strict=True):
            assert file.file.read(tensor.offset, tensor.n_bytes) == raw
    finally:
        file.close()
    reader = gguf.GGUFReader(path)
    assert {t.name: bytes(t.data.tobytes()) for t in reader.tensors} == dict(
        zip([t.name for t in specs], data, strict=True)
    )
    for pair in keys:
        value = reader.fields[pair.key].contents()
        expected = pair.value.tolist() if isinstance(pair.value, np.ndarray) else pair.value
        assert value == expected


def test_metadata_is_copied_byte_for_byte(tmp_path: Path) -> None:
    source = small_model()
    (tmp_path / "a.gguf").write_bytes(source.data)
    file = GgufFile(tmp_path / "a.gguf")
    specs = [OutputTensor(t.name, t.dtype, t.shape) for t in file.tensors.values()]
    with GgufWriter(tmp_path / "b.gguf", metadata_pairs(file), specs) as writer:
        for tensor in file.tensors.values():
            writer.write(file.file.read(tensor.offset, tensor.n_bytes))
    file.close()
    copy = (tmp_path / "b.gguf").read_bytes()
    assert copy[: len(source.data)] == source.data
    assert not any(copy[len(source.data) :])  # the padding of the last tensor


@pytest.mark.parametrize(
    ("keys", "specs"),
    [
        ([Pair("a", 4, 1), Pair("a", 4, 2)], []),
        ([Pair("a", 4, -1)], []),
        ([Pair("a", 0, 256)], []),
        ([Pair("a", 4, "text")], []),
        ([], [OutputTensor("a", "f32", (1,)), OutputTensor("a", "f32", (1,))]),
        ([], [OutputTensor("a", "q8_0", (2, 33))]),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, keys: list[Pair], specs: list[OutputTensor]
) -> None:
    with pytest.raises(ValueError):
        GgufWriter(tmp_path / "a.gguf", keys, specs)
    assert list(tmp_path.iterdir()) == []


def test_missing_and_surplus_bytes_leave_nothing(tmp_path: Path) -> None:
    spec = [OutputTensor("a", "f32", (4,))]
    with (
        pytest.raises(ValueError, match="1 tensors are missing"),
        GgufWriter(tmp_path / "a.gguf", [], spec) as writer,
    ):
        writer.write(bytes(15))
    with (
        pytest.raises(ValueError, match="17 bytes of 16"),
        GgufWriter(tmp_path / "a.gguf", [], spec) as writer,
    ):
        writer.write(bytes(17))
    assert list(tmp_path.iterdir()) == []
