"""One regular file opened for reading at any offset, by any thread."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pyinfer.errors import ModelFormatError, ModelNotFoundError, StoreIOError

# One preadv call moves at most 2 GiB less one page; larger reads continue in a loop.
_MAX_READ = 1 << 30


class SourceFile:
    """A regular file with known size. Anything else (FIFO, device, folder) is refused unread.

    Reads go through ``pread``: they share no position, so threads do not disturb each other, and
    a file that shrinks gives an error, where a mapping would kill the process.

    Raises
    ------
    ModelNotFoundError
        Nothing is there (also: a link to nothing).
    ModelFormatError
        Not a regular file.
    StoreIOError
        The operating system refuses to open it.
    """

    __slots__ = ("_fd", "name", "path", "size")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._fd = -1
        # stat first: opening a device may already act on it. The check is repeated on the opened
        # file, and O_NONBLOCK keeps a FIFO that was swapped in between from blocking.
        try:
            self._check_regular(path.stat())
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            status = os.fstat(self._fd)
            self._check_regular(status)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ModelNotFoundError(f"{self.name}: no such file") from error
        except (OSError, ValueError) as error:
            # ValueError: a NUL byte in the path.
            self.close()
            raise StoreIOError(f"{self.name}: cannot be opened: {_reason(error)}") from error
        except ModelFormatError:
            self.close()
            raise
        self.size = status.st_size

    def _check_regular(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise ModelFormatError(f"{self.name}: not a regular file")

    def read_into(self, offset: int, out: memoryview) -> None:
        """Fill ``out`` with the bytes at ``offset``.

        Raises
        ------
        StoreIOError
            The file ends before that (it became shorter since it was opened), the read fails, or
            the file is closed.
        """
        done, total = 0, out.nbytes
        fd = self.fileno()
        if total == 0:
            return  # a view without elements cannot be cast
        flat = out.cast("B")
        while done < total:
            try:
                n = os.preadv(fd, [flat[done : done + _MAX_READ]], offset + done)
            except OSError as error:
                raise self.failure(offset + done, error.errno or 0) from error
            if n == 0:
                raise self.failure(offset + done, 0)
            done += n

    def fileno(self) -> int:
        """Return the descriptor, for readers that use ``pread``.

        Raises
        ------
        StoreIOError
            The file is closed.
        """
        if self._fd < 0:
            raise StoreIOError(f"{self.name}: the file is closed")
        return self._fd

    def failure(self, offset: int, error: int) -> StoreIOError:
        """Build the error of a read that failed at ``offset`` with an errno; 0 for the end."""
        if error:
            return StoreIOError(
                f"{self.name}: reading at byte {offset} failed: {os.strerror(error)}"
            )
        return StoreIOError(
            f"{self.name}: ends at byte {offset}, expected {self.size} bytes as when it was opened",
            hint="the file changed while in use; load it again",
        )

    def read(self, offset: int, n_bytes: int) -> bytearray:
        """Return ``n_bytes`` bytes at ``offset``; errors as :meth:`read_into`."""
        data = bytearray(n_bytes)
        with memoryview(data) as view:
            self.read_into(offset, view)
        return data

    def close(self) -> None:
        """Close the file; no thread may be reading."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
