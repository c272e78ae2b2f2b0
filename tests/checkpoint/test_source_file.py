"""Opening and reading files: regular ones only, from any thread, and files that change."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.errors import ModelFormatError, ModelNotFoundError, PyinferError, StoreIOError


@pytest.fixture
def data() -> bytes:
    return np.random.default_rng(0).integers(0, 256, 100_000, dtype=np.uint8).tobytes()


@pytest.fixture
def path(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "data.bin"
    path.write_bytes(data)
    return path


def test_reads(path: Path, data: bytes) -> None:
    file = SourceFile(path)
    assert (file.size, file.name) == (len(data), "data.bin")
    assert file.read(0, len(data)) == data
    assert file.read(99_999, 1) == data[-1:]
    assert file.read(100_000, 0) == b""
    floats = np.empty((5, 100), np.float32)
    file.read_into(8, memoryview(floats))
    assert floats.tobytes() == data[8:2008]
    file.read_into(8, memoryview(np.empty((0, 68), np.uint8)))
    file.close()
    file.close()


def test_many_threads(path: Path, data: bytes) -> None:
    file = SourceFile(path)

    def read(seed: int) -> bool:
        first = seed * 7919 % 90_000
        return file.read(first, 10_000) == data[first : first + 10_000]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(400)))
    file.close()


def test_short_reads_continue(path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.preadv

    def few(fd: int, buffers: list[memoryview], offset: int) -> int:
        return real(fd, [buffers[0][:777]], offset)

    file = SourceFile(path)
    monkeypatch.setattr(os, "preadv", few)
    assert file.read(0, len(data)) == data
    floats = np.empty((10, 1000), np.float32)
    file.read_into(4, memoryview(floats))
    assert floats.tobytes() == data[4:40_004]
    file.close()


def test_file_that_shrinks(path: Path) -> None:
    file = SourceFile(path)
    os.truncate(path, 50_000)
    with pytest.raises(StoreIOError, match=r"data\.bin: ends at byte 50000, expected 100000"):
        file.read(0, 100_000)
    with pytest.raises(StoreIOError, match="ends at byte 60000"):
        file.read(60_000, 1)
    file.close()


def test_read_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(fd: int, buffers: list[memoryview], offset: int) -> int:
        raise OSError(5, "Input/output error")

    file = SourceFile(path)
    monkeypatch.setattr(os, "preadv", broken)
    with pytest.raises(StoreIOError, match="reading at byte 7 failed: Input/output error"):
        file.read(7, 1)
    file.close()


def test_closed(path: Path) -> None:
    file = SourceFile(path)
    file.close()
    with pytest.raises(StoreIOError, match="the file is closed"):
        file.read(0, 1)


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, fifo, Path("/dev/null"), Path("/dev/zero")):
        with pytest.raises(ModelFormatError, match="not a regular file"):
            opened_in_time(path)


def opened_in_time(path: Path) -> SourceFile:
    """Open in a thread, so that a call that blocks fails the test instead of hanging it."""
    result: list[SourceFile | PyinferError] = []

    def target() -> None:
        try:
            result.append(SourceFile(path))
        except PyinferError as error:
            result.append(error)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    thread.join(30)
    assert result, "opening blocks"
    if isinstance(result[0], PyinferError):
        raise result[0]
    return result[0]


def test_swapped_between_check_and_open(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A FIFO that takes the file's place after the first check neither blocks nor is read."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    real = os.open
    monkeypatch.setattr(os, "open", lambda _path, flags: real(fifo, flags))
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    with pytest.raises(ModelFormatError, match="not a regular file"):
        opened_in_time(path)
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before


def test_links(path: Path, tmp_path: Path, data: bytes) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    file = SourceFile(link)
    assert file.read(0, 10) == data[:10]
    file.close()
    path.unlink()
    with pytest.raises(ModelNotFoundError, match="link: no such file"):
        SourceFile(link)
    with pytest.raises(ModelNotFoundError):
        SourceFile(tmp_path / "a" / "b")
    with pytest.raises(StoreIOError):
        SourceFile(tmp_path / "nul\0byte")
