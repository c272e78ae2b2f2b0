"""safetensors: equal to the package where it accepts, refused wherever it refuses."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pyinfer.checkpoint import limits
from pyinfer.checkpoint import safetensors as reader
from pyinfer.checkpoint.model_files import INDEX, SINGLE
from pyinfer.checkpoint.safetensors import open_folder_tensors, read_header
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.errors import ModelFormatError, ModelNotFoundError, PyinferError

from ..checkpoints import random_config, safetensors_bytes, write_folder


def parse(path: Path) -> dict[str, Any]:
    file = SourceFile(path)
    try:
        return dict(read_header(file))
    finally:
        file.close()


def raw_file(header: bytes, data: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + data


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def with_header(header: Any, data: bytes = b"") -> bytes:
    return raw_file(json.dumps(header).encode(), data)


SMALL = safetensors_bytes(
    [
        ("a", "F32", np.arange(6, dtype=np.float32).reshape(2, 3)),
        ("b.bias", "BF16", np.arange(5, dtype=np.uint16)),
        ("c", "F16", np.arange(4, dtype=np.float16).reshape(2, 2)),
    ]
)


# --- one file -------------------------------------------------------------------------------


def test_equals_the_package(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = {
        "x": rng.standard_normal((3, 5)).astype(np.float32),
        "y": rng.standard_normal(7).astype(np.float16),
        "z": rng.integers(0, 9, (2, 2, 2)),
        "scalar": np.array(1.5, np.float32),
        "empty": np.zeros((0, 4), np.float32),
    }
    path = tmp_path / "m.safetensors"
    save_file(tensors, path, metadata={"format": "np"})
    file = SourceFile(path)
    found = read_header(file)
    assert set(found) == set(tensors)
    for name, array in tensors.items():
        assert found[name].shape == array.shape
        assert file.read(found[name].offset, found[name].n_bytes) == array.tobytes()
    assert [found[n].dtype for n in ("x", "y", "z")] == ["f32", "f16", "I64"]
    file.close()


def test_third_party_files(test_data: Path) -> None:
    folder = test_data / "model-files"
    with pytest.raises(ModelFormatError, match=r"weight-inspect-tiny\.safetensors"):
        parse(folder / "weight-inspect-tiny.safetensors")
    path = folder / "jfk-codes.safetensors"
    with safe_open(path, framework="numpy") as reference:
        names = set(reference.keys())
        found = parse(path)
        assert set(found) == names
        for name in names:
            assert found[name].n_bytes == reference.get_tensor(name).nbytes


GOOD = entry("F32", [2], 0, 8)


DAMAGED = [
    b"",
    b"1234567",
    (10).to_bytes(8, "little"),
    (2**64 - 1).to_bytes(8, "little") + b"{}",
    (limits.MAX_SAFETENSORS_HEADER_BYTES + 1).to_bytes(8, "little") + b"{}",
    raw_file(b""),
    raw_file(b"[]"),
    raw_file(b"{"),
    raw_file(b'{"a": 1}'),
    raw_file(b"\xff\xff"),
    raw_file(b'{"a": ' + b"[" * 100_000),
    with_header({"a": GOOD}, bytes(7)),
    with_header({"a": GOOD}, bytes(9)),
    with_header({"a": GOOD, "b": entry("F32", [1], 4, 8)}, bytes(8)),
    with_header({"a": GOOD, "b": GOOD}, bytes(8)),
    with_header({"a": GOOD, "b": entry("F32", [1], 12, 16)}, bytes(16)),
    with_header({"a": entry("F32", [2], 8, 0)}, bytes(8)),
    with_header({"a": entry("F32", [3], 0, 8)}, bytes(8)),
    with_header({"a": entry("F99", [2], 0, 8)}, bytes(8)),
    with_header({"a": entry("F32", [-2], 0, 8)}, bytes(8)),
    with_header({"a": entry("F32", [2**63, 2**63], 0, 8)}, bytes(8)),
    with_header({"a": entry("F32", [2], 2**64, 2**64 + 8)}, bytes(8)),
    with_header({"a": GOOD | {"shape": [2.0]}}, bytes(8)),
    with_header({"a": GOOD | {"shape": "2"}}, bytes(8)),
    with_header({"a": GOOD | {"data_offsets": [0, 8, 9]}}, bytes(8)),
    with_header({"a": {"dtype": "F32", "shape": [2]}}, bytes(8)),
    with_header({"__metadata__": {"x": 1}, "a": GOOD}, bytes(8)),
    raw_file(f'{{"a": {json.dumps(GOOD)}, "a": {json.dumps(GOOD)}}}'.encode(), bytes(8)),
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
]

# What only the package judges: dtypes that do not exist, and metadata that nothing reads.
ONLY_THE_PACKAGE = {
    with_header({"a": entry("F99", [2], 0, 8)}, bytes(8)),
    with_header({"__metadata__": {"x": 1}, "a": GOOD}, bytes(8)),
}


@pytest.mark.parametrize("data", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelFormatError, match=r"^bad\.safetensors: "):
        parse(path)


class Credulous:
    """Stands in for the package and accepts every file."""

    def __init__(self, path: Path, framework: str) -> None:
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        self._keys = []
        with contextlib.suppress(ValueError, RecursionError):
            header = json.loads(data[8 : 8 + length])
            self._keys = [key for key in header if key != "__metadata__"]

    def __enter__(self) -> Credulous:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def keys(self) -> list[str]:
        return self._keys


OURS = [data for data in DAMAGED if data not in ONLY_THE_PACKAGE]


@pytest.mark.parametrize("data", OURS, ids=range(len(OURS)))
def test_damaged_for_our_own_checks(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offsets come from our own parse, so it refuses by itself what the package refuses."""
    monkeypatch.setattr(reader, "safe_open", Credulous)
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelFormatError, match=r"^bad\.safetensors: "):
        parse(path)


def test_other_names_than_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is swapped between the two readings shows in the names."""
    monkeypatch.setattr(Credulous, "keys", lambda self: ["a"])
    monkeypatch.setattr(reader, "safe_open", Credulous)
    path = tmp_path / "m.safetensors"
    path.write_bytes(SMALL)
    with pytest.raises(ModelFormatError, match="the file changed while it was opened"):
        parse(path)


def check_against_package(path: Path) -> str:
    """Compare the verdicts: what the package refuses may not pass; ranges stay in the file."""
    try:
        with safe_open(path, framework="numpy") as reference:
            theirs: set[str] | None = set(reference.keys())
    except SafetensorError:
        theirs = None
    try:
        found = parse(path)
    except ModelFormatError as error:
        return "refused" if str(error).isprintable() else str(error)
    size = path.stat().st_size
    if theirs != set(found) or any(t.offset + t.n_bytes > size for t in found.values()):
        return "wrong"
    return "ok"


def test_cut_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(SMALL)
    assert check_against_package(path) == "ok"
    for size in range(len(SMALL) - 1, -1, -1):
        os.truncate(path, size)
        assert check_against_package(path) == "refused", size


@pytest.mark.parametrize("change", ["zero", "ones", "flip"])
def test_every_header_byte(tmp_path: Path, change: str) -> None:
    path = tmp_path / "flip.safetensors"
    header = 8 + int.from_bytes(SMALL[:8], "little")
    refused = 0
    for at in range(header):
        data = bytearray(SMALL)
        data[at] = {"zero": 0, "ones": 0xFF, "flip": data[at] ^ 0x80}[change]
        path.write_bytes(data)
        outcome = check_against_package(path)
        assert outcome in ("ok", "refused"), at
        refused += outcome == "refused"
    assert refused > header // 2


def test_random_damage(tmp_path: Path) -> None:
    path = tmp_path / "fuzz.safetensors"
    rng = random.Random(5)
    header = 8 + int.from_bytes(SMALL[:8], "little")
    alphabet = b'0123456789{}[]",:-.eE \\abF\x00\xff'
    for _ in range(2000):
        data = bytearray(SMALL)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(8, header)
            if rng.random() < 0.6:
                data[at] = rng.choice(alphabet)
            else:
                other = rng.randrange(8, header)
                data[at : at + rng.randint(0, 9)] = data[other : other + rng.randint(0, 9)]
        if rng.random() < 0.5:
            data[:8] = (header - 8 + len(data) - len(SMALL)).to_bytes(8, "little")
        path.write_bytes(data)
        assert check_against_package(path) in ("ok", "refused")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=4),
    st.integers(0, 7),
)
def test_ranges(tmp_path: Path, places: list[tuple[int, int]], size: int) -> None:
    path = tmp_path / "ranges.safetensors"
    header = {f"t{i}": entry("F32", [b - a], 4 * a, 4 * b) for i, (a, b) in enumerate(places)}
    path.write_bytes(with_header(header, bytes(4 * size)))
    assert check_against_package(path) in ("ok", "refused")


# --- shards and their index -------------------------------------------------------------------


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    write_folder(folder, random_config(), shards=3)
    return folder


def edit_index(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    index = json.loads((folder / INDEX).read_text())
    change(index["weight_map"])
    (folder / INDEX).write_text(json.dumps(index))


def open_and_close(folder: Path) -> dict[str, Any]:
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    try:
        files, tensors = open_folder_tensors(folder)
    except PyinferError:
        assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before
        raise
    for file in files:
        file.close()
    return dict(tensors)


def test_shards_equal_one_file(sharded: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "one", random_config())
    one, many = open_and_close(tmp_path / "one"), open_and_close(sharded)
    assert {n: (t.dtype, t.shape) for n, t in one.items()} == {
        n: (t.dtype, t.shape) for n, t in many.items()
    }
    assert len({t.file.name for t in many.values()}) == 3


def test_single_file_wins_over_an_index(sharded: Path) -> None:
    (sharded / SINGLE).write_bytes(SMALL)
    assert set(open_and_close(sharded)) == {"a", "b.bias", "c"}


def test_missing_shard(sharded: Path) -> None:
    (sharded / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(ModelFormatError, match=r"model-00002-of-00003\.safetensors: missing"):
        open_and_close(sharded)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        open_and_close(tmp_path)


def test_tensor_not_where_the_index_says(sharded: Path) -> None:
    edit_index(sharded, lambda m: m.update({"model.norm.weight": min(m.values())}))
    with pytest.raises(ModelFormatError, match=r"'model\.norm\.weight' is missing, but"):
        open_and_close(sharded)


def test_tensor_in_two_shards(sharded: Path) -> None:
    first = sorted(sharded.glob("model-*.safetensors"))[0]
    shutil.copy(first, sharded / "model-00004-of-00004.safetensors")
    edit_index(sharded, lambda m: m.update({"extra": "model-00004-of-00004.safetensors"}))
    with pytest.raises(ModelFormatError, match="is also in model-00001-of-00003"):
        open_and_close(sharded)


@pytest.mark.parametrize(
    "name",
    [
        "../model-00001-of-00003.safetensors",
        "/etc/passwd",
        "sub/x.safetensors",
        "..\\x.safetensors",
        "x\0.safetensors",
        "model.bin",
        ".safetensors",
        "..",
        "",
        "a" * 300 + ".safetensors",
        7,
        None,
        ["model-00001-of-00003.safetensors"],
    ],
)
def test_shard_names_stay_in_the_folder(sharded: Path, name: Any) -> None:
    edit_index(sharded, lambda m: m.update({"model.norm.weight": name}))
    with pytest.raises(ModelFormatError, match="file of the same folder, found"):
        open_and_close(sharded)


@pytest.mark.parametrize("text", ["{}", '{"weight_map": {}}', '{"weight_map": []}', "[]", "{"])
def test_wrong_index(sharded: Path, text: str) -> None:
    (sharded / INDEX).write_text(text)
    with pytest.raises(ModelFormatError, match=r"model\.safetensors\.index\.json: "):
        open_and_close(sharded)


def test_too_many_shards(sharded: Path) -> None:
    edit_index(
        sharded,
        lambda m: m.update({f"t{i}": f"{i}.safetensors" for i in range(limits.MAX_SHARDS + 1)}),
    )
    with pytest.raises(ModelFormatError, match="expected at most 1024"):
        open_and_close(sharded)
    names = {f"t{i}": f"{i}.safetensors" for i in range(limits.MAX_SHARDS)}
    (sharded / INDEX).write_text(json.dumps({"weight_map": names}))
    with pytest.raises(ModelFormatError, match=r"1024 files are missing: 0\.safetensors, 1\."):
        open_and_close(sharded)


def test_shard_that_is_no_file(sharded: Path) -> None:
    path = sharded / "model-00002-of-00003.safetensors"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ModelFormatError, match="not a regular file"):
        open_and_close(sharded)
