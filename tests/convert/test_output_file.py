"""A result is there whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyinfer.convert.output_file import OutputFile
from pyinfer.errors import StoreFullError, StoreIOError, UsageError


@pytest.fixture(params=["unnamed", "hidden"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the operating system's unnamed files, and on file systems without them."""
    if request.param == "hidden":
        real = os.open

        def refuse(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "not supported")
            return real(path, flags, *rest, **named)

        monkeypatch.setattr(os, "open", refuse)
    return str(request.param)


def write(path: Path, error: type[BaseException]) -> None:
    """Write half of a file, then fail."""
    with OutputFile(path, 3) as file:
        file.write(b"abc")
        raise error


def finish(file: OutputFile) -> None:
    """Write all of a file."""
    file.write(b"abc")
    file.publish()


@pytest.mark.usefixtures("way")
def test_the_name_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    with OutputFile(path, 6) as file:
        file.write(b"abc")
        file.write(memoryview(b"def"))
        assert not path.exists()
        file.publish()
        assert path.read_bytes() == b"abcdef"
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o400


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("force", [False, True])
def test_an_existing_file_is_replaced_only_by_force(tmp_path: Path, force: bool) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"old")
    if not force:
        with pytest.raises(UsageError, match="--force"):
            OutputFile(path, 3)
    else:
        with OutputFile(path, 3, force=True) as file:
            file.write(b"new")
            assert path.read_bytes() == b"old"
            file.publish()
    assert path.read_bytes() == (b"new" if force else b"old")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("way")
def test_a_file_that_comes_in_between_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    with OutputFile(path, 3) as file:
        file.write(b"new")
        path.write_bytes(b"theirs")
        with pytest.raises(UsageError, match="exists already"):
            file.publish()
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("way")
def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "model.gguf", KeyboardInterrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, StoreFullError), (errno.EDQUOT, StoreFullError), (errno.EIO, StoreIOError)],
)
@pytest.mark.parametrize("call", ["write", "fsync", "link"])
def test_failures_are_typed_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception], call: str
) -> None:
    def fail(*_: Any, **__: Any) -> int:
        raise OSError(number, os.strerror(number))

    with OutputFile(tmp_path / "model.gguf", 3) as file, monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(kind, match=r"model\.gguf"):
            finish(file)
    assert list(tmp_path.iterdir()) == []


def test_too_little_space_is_said_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=999))
    with pytest.raises(StoreFullError, match="1,000 bytes, 999 are free"):
        OutputFile(tmp_path / "model.gguf", 1000)


def test_places_that_are_no_target(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        OutputFile(tmp_path / "none" / "model.gguf", 1)
    with pytest.raises(UsageError, match="is a folder"):
        OutputFile(tmp_path, 1, force=True)


def test_a_killed_process_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from pyinfer.convert.output_file import OutputFile\n"
        "file = OutputFile(pathlib.Path(sys.argv[1]) / 'model.gguf', 3)\n"
        "file.write(b'abc')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []
