"""Weights read from files on all workers, and checksums of packed bytes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from pyinfer._kernels.runtime import Runtime
from pyinfer._kernels.tensor import MAP_ALIGNMENT, Arena, PackedTensor, packed_bytes, row_bytes
from pyinfer._kernels.weight_files import CHECKSUM_BYTES, FileJobs, checksums

MASK = (1 << 64) - 1
FACTOR = 0x9E3779B97F4A7C15


@pytest.fixture(params=[1, 3])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """One worker, and more workers than most cases have pieces."""
    return Runtime(threads=request.param)


def _tensor(fmt: str, rows: int, cols: int) -> PackedTensor:
    return PackedTensor(Arena(packed_bytes(fmt, rows, cols)), fmt, rows, cols)


@pytest.mark.parametrize(("rows", "cols"), [(1, 32), (40, 96), (5000, 64), (70, 20480)])
@pytest.mark.parametrize(("source", "target"), [("q4_0", "q4_0"), ("bf16", "q8_0"), ("f32", "f16")])
def test_files_and_memory_give_the_same_panels(
    source: str, target: str, rows: int, cols: int, runtime: Runtime, tmp_path: Path
) -> None:
    rng = np.random.default_rng(rows)
    values = rng.standard_normal((rows, cols), dtype=np.float32)
    data = values.view(np.uint8)[:, : row_bytes(source, cols)].copy()
    if source == "bf16":
        data = (values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    path = tmp_path / "rows"
    path.write_bytes(b"x" * 7 + data.tobytes())
    expected, found = _tensor(target, rows, cols), _tensor(target, rows, cols)
    expected.pack(runtime, 0, data.ravel(), source)
    jobs = FileJobs()
    with path.open("rb") as file:
        middle = rows // 2 // 16 * 16
        jobs.add_rows(
            found, middle, rows - middle, file.fileno(), 7 + middle * data.shape[1], source
        )
        if middle:
            jobs.add_rows(found, 0, middle, file.fileno(), 7, source)
        assert jobs.run(runtime) is None
    assert len(jobs) == 0
    assert np.array_equal(found.panels(), expected.panels())


def test_a_failure_names_job_position_and_reason(runtime: Runtime, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(bytes(1000))
    tensor, jobs = _tensor("f32", 16, 32), FileJobs()
    out = np.empty(10, np.float32)
    with path.open("rb") as file:
        jobs.add_vector(out, file.fileno(), 960, "f32")
        jobs.add_rows(tensor, 0, 16, file.fileno(), 100, "f32")
        assert jobs.run(runtime) == (1, 1000, 0)
        closed = os.dup(file.fileno())
        os.close(closed)
        jobs.add_vector(out, closed, 0, "f32")
        assert jobs.run(runtime) == (0, 0, errno.EBADF)
        jobs.add_vector(out, file.fileno(), 961, "f32")
        assert jobs.run(runtime) == (0, 1000, 0)


def test_wrong_jobs_are_refused(runtime: Runtime) -> None:
    tensor, jobs = _tensor("f32", 40, 32), FileJobs()
    for first, rows in [(0, 0), (0, 41), (8, 16), (0, 8), (48, 16), (1 << 63, 16)]:
        with pytest.raises(ValueError, match=r"rows|panel"):
            jobs.add_rows(tensor, first, rows, 0, 0, "f32")
    with pytest.raises(ValueError, match="vector"):
        jobs.add_vector(np.empty(32, np.float32), 0, 0, "q8_0")
    with pytest.raises(ValueError, match="vector"):
        jobs.add_vector(np.empty(0, np.float32), 0, 0, "f32")
    assert len(jobs) == 0
    assert jobs.run(runtime) is None


def _mixed(lane: int, word: int) -> int:
    x = lane ^ word
    return ((x << 29 | x >> 35) & MASK) * FACTOR & MASK


def _sum(data: bytes) -> int:
    """The definition, word by word."""
    lanes = [FACTOR * (i + 1) & MASK for i in range(8)]
    whole = len(data) // 64 * 64
    for at in range(0, whole, 8):
        i = at // 8 % 8
        lanes[i] = _mixed(lanes[i], int.from_bytes(data[at : at + 8], "little"))
    total = len(data)
    for word in [*lanes, *data[whole:]]:
        total = _mixed(total, word)
    return total ^ total >> 32


@pytest.mark.parametrize("nbytes", [1, 63, 64, 65, 1000, 4096])
def test_a_checksum_follows_the_definition(nbytes: int, runtime: Runtime) -> None:
    data = np.random.default_rng(nbytes).integers(0, 256, nbytes, dtype=np.uint8)
    assert checksums(runtime, data).tolist() == [_sum(data.tobytes())]


def test_every_flipped_bit_changes_its_checksum_and_no_other(runtime: Runtime) -> None:
    data = np.zeros(CHECKSUM_BYTES + 200, np.uint8)
    clean = checksums(runtime, data)
    assert len(clean) == 2
    for at in [0, 7, 8, 63, 64, CHECKSUM_BYTES - 1, CHECKSUM_BYTES, CHECKSUM_BYTES + 199]:
        for bit in range(8):
            data[at] ^= 1 << bit
            changed = checksums(runtime, data) != clean
            assert changed.tolist() == [at < CHECKSUM_BYTES, at >= CHECKSUM_BYTES]
            data[at] ^= 1 << bit


def test_a_mapped_arena_is_the_file_and_read_only(runtime: Runtime, tmp_path: Path) -> None:
    path = tmp_path / "arena"
    data = np.random.default_rng(0).integers(0, 256, packed_bytes("q8_0", 32, 128), dtype=np.uint8)
    with path.open("wb") as file:
        file.seek(MAP_ALIGNMENT)
        file.write(data.tobytes())
    with path.open("rb") as file:
        arena = Arena.map_file(file.fileno(), MAP_ALIGNMENT, data.size)
        with pytest.raises(ValueError, match="no multiple"):
            Arena.map_file(file.fileno(), 4096, 100)
    tensor = PackedTensor(arena, "q8_0", 32, 128)
    assert np.array_equal(np.asarray(tensor.panels()).ravel(), data)
    assert not arena.writable
    assert not np.asarray(arena.view()).flags.writeable
    with pytest.raises(ValueError, match="mapped"):
        tensor.pack(runtime, 0, np.zeros(32 * row_bytes("q8_0", 128), np.uint8), "q8_0")


def test_a_view_keeps_its_memory() -> None:
    size = 8 << 20
    view = Arena(size).view()
    others = [Arena(size) for _ in range(4)]  # would take the place of a freed one
    np.asarray(view).fill(7)
    del others
    assert (np.asarray(view) == 7).all()
    panels = PackedTensor(Arena(packed_bytes("q8_0", 16, 128)), "q8_0", 16, 128).panels()
    assert not np.asarray(panels).any()
