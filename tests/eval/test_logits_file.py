"""Saved logits: the layout of llama.cpp, its precision, damaged files."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from pyinfer.errors import ModelFormatError, StoreIOError
from pyinfer.eval.logits_file import LogitsReader, LogitsWriter, Shape

SHAPE = Shape(n_ctx=8, n_vocab=5, n_windows=2)  # 3 scored positions each
TOKENS = np.array([[0, 1, 2, 3, 4, 0, 1, 2], [4, 3, 2, 1, 0, 4, 3, 2]], np.int32)


def some_logits() -> np.ndarray:
    rows = np.random.default_rng(0).normal(0, 4, (6, 5)).astype(np.float32)
    rows[1] = 3.0  # all the same
    rows[2] = [0, -100, -16.5, -15.5, 2]  # beyond the range
    return rows


def write(path: Path) -> np.ndarray:
    rows = some_logits()
    writer = LogitsWriter(path, SHAPE, TOKENS.reshape(-1))
    with writer.file:
        for first in (0, 2, 3):
            writer.add(rows[first : {0: 2, 2: 3, 3: 6}[first]])
        writer.file.publish()
    return rows


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    rows = write(tmp_path / "base").astype(np.float64)
    with LogitsReader(tmp_path / "base") as base:
        assert base.shape == SHAPE
        assert base.tokens.tolist() == TOKENS.tolist()
        found = np.concatenate([base.next(2), base.next(4)])
    expected = rows - np.log(np.exp(rows).sum(axis=1))[:, None]
    floor = rows.max(axis=1)[:, None] - 16
    kept = rows >= floor
    assert np.abs(found - expected)[kept].max() < 16 / 65535
    lowest = np.broadcast_to(found.min(axis=1)[:, None], found.shape)
    assert np.array_equal(found[~kept], lowest[~kept])


def test_the_layout_is_that_of_llama_cpp(tmp_path: Path) -> None:
    write(tmp_path / "base")
    data = (tmp_path / "base").read_bytes()
    assert data[:8] == b"_logits_"
    assert struct.unpack_from("<3i", data, 8) == (8, 5, 2)
    assert struct.unpack_from("<16i", data, 20) == tuple(TOKENS.reshape(-1).tolist())
    # Rows of 4 + 6 uint16: the vocabulary is rounded up to an even number.
    assert len(data) == 20 + 64 + 6 * 2 * (4 + 6)
    scale, low, *steps = struct.unpack_from("<2f5H", data, 84 + 2 * 20)
    assert steps == [57343, 0, 0, 0, 65535]  # 16 - 2 and 16 nats of 16; -15.5 is out of range
    assert scale == pytest.approx(16 / 65535)
    total = np.log(1 + np.exp(2.0))
    assert low == pytest.approx(2 - 16 - total, abs=1e-5)


@pytest.mark.parametrize("cut", [0, 7, 19, 30, 84, 100, 203])
def test_cut_files(tmp_path: Path, cut: int) -> None:
    write(tmp_path / "base")
    data = (tmp_path / "base").read_bytes()
    (tmp_path / "base").write_bytes(data[:cut])
    with pytest.raises((ModelFormatError, StoreIOError)):
        LogitsReader(tmp_path / "base")


@pytest.mark.parametrize(
    ("offset", "value"), [(0, 1), (8, -1), (8, 2**30), (12, 0), (16, 0), (20, 5), (20, -1)]
)
def test_damaged_files(tmp_path: Path, offset: int, value: int) -> None:
    write(tmp_path / "base")
    data = bytearray((tmp_path / "base").read_bytes())
    struct.pack_into("<i", data, offset, value)
    (tmp_path / "base").write_bytes(data)
    with pytest.raises(ModelFormatError, match="base"):
        LogitsReader(tmp_path / "base")
