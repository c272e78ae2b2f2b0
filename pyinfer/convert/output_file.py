"""A file that appears under its name only when it is whole."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from pyinfer.errors import StoreFullError, UsageError
from pyinfer.store.durable import storage_errors, write_all

# What file systems without unnamed files answer; some kernels say that the folder is one.
_NO_UNNAMED = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)


def check_target(path: Path, force: bool) -> None:
    """Refuse a target that exists, unless forced, or whose folder does not.

    Raises
    ------
    UsageError
        See above; also a folder in the place of a file.
    """
    if not path.parent.is_dir():
        raise UsageError(f"the folder {str(path.parent)!r} does not exist")
    if path.is_dir():
        raise UsageError(f"{str(path)!r} is a folder, expected the name of a file")
    if path.exists() and not force:
        raise _exists(path)


def _exists(path: Path) -> UsageError:
    return UsageError(f"{str(path)!r} exists already", hint="--force replaces it")


def typed_errors(path: Path) -> AbstractContextManager[None]:
    """Turn the operating system's errors while ``path`` is written into errors of the package."""
    return storage_errors(f"{path.name}: cannot be written", when_full="nothing was left behind")


class OutputFile:
    """Bytes that become the file ``path`` at :meth:`publish`, or nothing at all.

    The bytes go to a file without a name, which the operating system removes however the process
    ends. Where the file system has none, they go to a hidden neighbour of ``path``, which
    :meth:`discard` removes.

    Parameters
    ----------
    path : Path
        Where the result appears.
    n_bytes : int
        Expected size, compared with the free space before anything is written.
    force : bool
        Replace an existing file.

    Raises
    ------
    UsageError
        ``path`` exists and ``force`` is not set, or its folder does not exist.
    StoreFullError, StoreIOError
        No space, or the folder cannot be written to.
    """

    __slots__ = ("_fd", "_force", "_hidden", "path")

    def __init__(self, path: Path, n_bytes: int, *, force: bool = False) -> None:
        self.path = path
        self._force = force
        self._hidden: Path | None = None
        self._fd = -1
        check_target(path, force)
        with typed_errors(path):
            free = shutil.disk_usage(path.parent).free
            if free < n_bytes:
                raise StoreFullError(
                    f"{path.name} needs {n_bytes:,} bytes, {free:,} are free in "
                    f"{str(path.parent)!r}"
                )
            try:
                self._fd = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666)
            except OSError as error:
                if error.errno not in _NO_UNNAMED:
                    raise
                self._open_hidden()

    def _open_hidden(self) -> None:
        hidden = self._neighbour()
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        self._fd = os.open(hidden, flags, 0o666)
        self._hidden = hidden

    def _neighbour(self) -> Path:
        # Unique by process; a name of 255 bytes leaves no room for more.
        return self.path.with_name(f".{self.path.name[:60]}.{os.getpid()}.partial")

    def write(self, data: bytes | memoryview) -> None:
        """Append ``data``.

        Raises
        ------
        StoreFullError, StoreIOError
            The disk is full or the write failed.
        """
        with typed_errors(self.path), memoryview(data) as view, view.cast("B") as flat:
            write_all(self._fd, flat)

    def publish(self) -> None:
        """Bring the bytes to disk, then give them their name.

        Raises
        ------
        UsageError
            Somebody else made ``path`` meanwhile, and ``force`` is not set.
        StoreFullError, StoreIOError
            As :meth:`write`.
        """
        with typed_errors(self.path):
            os.fsync(self._fd)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                if self._hidden is None and self._force:
                    self._link(self._neighbour(), folder)
                    self._hidden = self._neighbour()
                try:
                    self._name(folder)
                except FileExistsError:
                    raise _exists(self.path) from None
                os.fsync(folder)
            finally:
                os.close(folder)
        self.discard()

    def _name(self, folder: int) -> None:
        if self._hidden is None:
            self._link(self.path, folder)
        elif self._force:
            self._hidden.replace(self.path)
            self._hidden = None
        else:
            os.link(self._hidden, self.path)

    def _link(self, target: Path, folder: int) -> None:
        # With a folder given, Python calls linkat(), which follows the link to the open file.
        os.link(f"/proc/self/fd/{self._fd}", target, src_dir_fd=folder, follow_symlinks=True)

    def discard(self) -> None:
        """Close; what was not published is gone. May be repeated."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        hidden, self._hidden = self._hidden, None
        if hidden is not None:
            hidden.unlink(missing_ok=True)

    def __enter__(self) -> OutputFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()
