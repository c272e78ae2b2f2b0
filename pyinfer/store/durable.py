"""Writing that survives a crash: the old state or the new one, never a mix."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from pyinfer.errors import StoreFullError, StoreIOError

TEMPORARY = ".tmp-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


_AGAIN = "free some space and run the command again: it continues where it stopped"


@contextlib.contextmanager
def storage_errors(what: str, when_full: str = _AGAIN) -> Iterator[None]:
    """Turn an ``OSError`` of the block into StoreFullError or StoreIOError about ``what``.

    Parameters
    ----------
    what : str
        Beginning of the message.
    when_full : str
        Hint of the error of a full disk.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise StoreFullError(f"{what}: {reason}", hint=when_full) from error
        raise StoreIOError(f"{what}: {reason}") from error


def temporary_name(folder: Path) -> Path:
    """A name in ``folder`` that nobody else uses and that is cleaned up if it stays behind."""
    return folder / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}"


def make_folder(folder: Path) -> None:
    """Create a folder and its parents durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Write the entries of a folder to the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write everything; the operating system may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_file(path: Path, data: bytes) -> None:
    """Put ``data`` under ``path`` at once: a reader sees nothing, the old file or all of it."""
    temporary = temporary_name(path.parent)
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        publish(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def publish(source: Path, target: Path) -> None:
    """Rename durably; ``source`` must have been synced, both be on one file system."""
    source.replace(target)
    sync_folder(target.parent)
