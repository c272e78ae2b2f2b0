"""Downloads that are killed, run side by side, and meet disks that fail."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyinfer.errors import PyinferError, StoreFullError, StoreIOError
from pyinfer.store import locks
from pyinfer.store.local import Store
from pyinfer.store.pull import pull

from .hub_server import Hub
from .torture import MODEL, QUICK, check_visible, crowd, kill_rounds

WEIGHTS = random.Random(2).randbytes(9 << 20)  # one synced piece and a rest


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub({"org/repo": {"m-Q8_0.gguf": WEIGHTS}}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("NO_PROXY", "*")
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield hub


def test_killed_at_random_moments(hub: Hub, tmp_path: Path) -> None:
    hub.rate = 20e6
    tally = kill_rounds(hub, tmp_path / "models", WEIGHTS, rounds=6)
    assert tally.killed == 6


def test_many_processes(hub: Hub, tmp_path: Path) -> None:
    hub.rate = 30e6
    tally = crowd(hub, tmp_path / "models", WEIGHTS, processes=16)
    assert tally.sent <= 1.05 * tally.size


def test_without_locks(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that knows no locks costs bytes, never correctness."""
    monkeypatch.setattr(locks, "try_lock", lambda *args, **options: None)
    store = Store(tmp_path / "models")
    hub.faults.append("short")
    pull(MODEL, store=store, settings=QUICK)
    check_visible(store, WEIGHTS)
    assert [path.suffix for path in store.partial.iterdir()] == []
    hub.usual = lambda: "flip"
    hub.repositories["org/repo"]["m-Q8_0.gguf"] = WEIGHTS[::-1]
    with pytest.raises(PyinferError):
        pull(MODEL, store=store, settings=QUICK)
    assert list(store.partial.glob("*.data")) == []
    check_visible(store, WEIGHTS)


CALLS = ("write", "fsync", "fdatasync", "open", "close", "ftruncate", "replace", "fchmod", "pread",
         "posix_fallocate")  # fmt: skip


@contextlib.contextmanager
def failing(
    monkeypatch: pytest.MonkeyPatch, call: str, number: int, code: int
) -> Iterator[list[int]]:
    """Let the given call of the operating system fail once; yields how often it was called."""
    real: Callable[..., Any] = getattr(os, call)
    count = [0]

    def broken(*args: Any, **options: Any) -> Any:
        # Files of the store only: descriptors are numbers, paths are absolute.
        count[0] += 1
        if count[0] == number:
            if call == "close":
                real(*args)
            raise OSError(code, os.strerror(code))
        return real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, broken)
        yield count


@pytest.mark.parametrize("call", CALLS)
def test_each_call_of_the_system_may_fail_once(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    small = WEIGHTS[: 100 << 10]
    hub.repositories["org/repo"]["m-Q8_0.gguf"] = small
    for number in range(1, 60):
        store = Store(tmp_path / f"models{number}")
        code = errno.ENOSPC if number % 2 else errno.EIO
        error = None
        with failing(monkeypatch, call, number, code) as count:
            try:
                pull(MODEL, store=store, settings=QUICK)
            except PyinferError as caught:
                error = caught
        check_visible(store, small)
        if error is not None:
            assert isinstance(error, StoreFullError | StoreIOError)
        pull(MODEL, store=store, settings=QUICK)
        check_visible(store, small)
        assert len(store.models()) == 1
        if count[0] < number:
            break
    else:
        raise AssertionError("more calls than expected")


def test_short_writes(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data[:1000])))
    hub.repositories["org/repo"]["m-Q8_0.gguf"] = WEIGHTS[: 200 << 10]
    store = Store(tmp_path / "models")
    pull(MODEL, store=store, settings=QUICK)
    check_visible(store, WEIGHTS[: 200 << 10])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small tmpfs")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk(hub: Hub, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyinfer.store.pull.SPARE_BYTES", -(1 << 40))  # the early check is off
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(10 << 20))
    store = Store(small_disk / "models")
    with pytest.raises(StoreFullError, match="continues where it stopped"):
        pull(MODEL, store=store, settings=QUICK)
    check_visible(store, WEIGHTS)
    assert store.models() == []
    ballast.unlink()
    hub.count_from_zero()
    pull(MODEL, store=store, settings=QUICK)
    check_visible(store, WEIGHTS)
    assert hub.sent < len(WEIGHTS)  # continued


def test_full_disk_is_seen_before_the_first_byte(hub: Hub, small_disk: Path) -> None:
    store = Store(small_disk / "models")
    (small_disk / "ballast").write_bytes(bytes(10 << 20))
    with pytest.raises(StoreFullError, match="are free"):
        pull(MODEL, store=store, settings=QUICK)
    assert hub.sent == 0
