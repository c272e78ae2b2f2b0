"""Split GGUF models: written by the ``gguf`` package, and broken in every way."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyinfer.checkpoint.checkpoint import open_checkpoint
from pyinfer.checkpoint.gguf_shards import open_gguf
from pyinfer.errors import ModelFormatError, PyinferError

from ..checkpoints import random_config, write_gguf
from .gguf_bytes import ARR, I32, STR, U16, Array, Tensor, build


@pytest.fixture
def split(tmp_path: Path) -> Path:
    write_gguf(tmp_path / "m.gguf", random_config(), dtype="q8_0", split_tensors=10)
    assert len(list(tmp_path.glob("m-*.gguf"))) == 3
    return tmp_path / "m-00001-of-00003.gguf"


def refuse(path: Path, match: str) -> None:
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    with pytest.raises(ModelFormatError, match=match):
        open_gguf(path)
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before


def part(path: Path, number: int, count: int, tensors: list[str], total: Any = 2) -> None:
    pairs = [
        ("general.architecture", STR, "qwen2"),
        ("split.no", U16, number),
        ("split.count", U16, count),
        ("split.tensors.count", I32 if isinstance(total, int) else ARR, total),
    ]
    path.write_bytes(build(pairs, [Tensor(n, (1,), 0, bytes(4)) for n in tensors]).data)


def test_split_equals_whole(split: Path, tmp_path: Path) -> None:
    weights = write_gguf(tmp_path / "whole.gguf", random_config(), dtype="q8_0")
    with open_checkpoint(split) as many, open_checkpoint(tmp_path / "whole.gguf") as one:
        assert many.tensors == one.tensors
        assert set(many.tensors) == set(weights)
        for name, info in one.tensors.items():
            a, b = (np.empty(info.n_bytes, np.uint8) for _ in range(2))
            one.read_rows(name, 0, info.rows, memoryview(a))
            many.read_rows(name, 0, info.rows, memoryview(b))
            np.testing.assert_array_equal(a, b)


def test_missing_part(split: Path) -> None:
    split.with_name("m-00003-of-00003.gguf").unlink()
    refuse(split, r"m-00003-of-00003\.gguf: missing, part 3 of 3")


def test_not_the_first_part(split: Path) -> None:
    with pytest.raises(PyinferError, match=r"part 2 of 3. open the first part, m-00001-of-00003"):
        open_gguf(split.with_name("m-00002-of-00003.gguf"))


def test_other_name(split: Path) -> None:
    other = split.with_name("renamed.gguf")
    shutil.copy(split, other)
    refuse(other, r"a name that ends in -00001-of-00003\.gguf")


def test_wrong_part(split: Path) -> None:
    shutil.copy(split.with_name("m-00003-of-00003.gguf"), split.with_name("m-00002-of-00003.gguf"))
    refuse(split, r"split\.no and split\.count are \(2, 3\), expected \(1, 3\)")


def test_tensor_in_two_parts(tmp_path: Path) -> None:
    part(tmp_path / "x-00001-of-00002.gguf", 0, 2, ["a"])
    part(tmp_path / "x-00002-of-00002.gguf", 1, 2, ["a"])
    refuse(tmp_path / "x-00001-of-00002.gguf", "tensor 'a' is in an earlier part too")


def test_number_of_tensors(tmp_path: Path) -> None:
    part(tmp_path / "x-00001-of-00002.gguf", 0, 2, ["a"], total=3)
    part(tmp_path / "x-00002-of-00002.gguf", 1, 2, ["b"])
    refuse(tmp_path / "x-00001-of-00002.gguf", "is 3, the parts hold 2 tensors")
    part(tmp_path / "x-00001-of-00002.gguf", 0, 2, ["a"], total=Array(I32, [2, 2]))
    refuse(tmp_path / "x-00001-of-00002.gguf", "is a value of type ndarray, the parts hold 2")
    part(tmp_path / "x-00001-of-00002.gguf", 0, 2, ["a"])
    for file in open_gguf(tmp_path / "x-00001-of-00002.gguf"):
        file.close()


def test_wrong_fields(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    for kind, value in ((STR, "2"), (I32, -1), (U16, 1025), (ARR, Array(U16, [2]))):
        path.write_bytes(build([("split.count", kind, value)]).data)
        refuse(path, r"split\.count must be an integer from 0 to 1024")
    path.write_bytes(build([("split.count", U16, 1024)]).data)
    refuse(path, r"part of a model in 1024 files")
