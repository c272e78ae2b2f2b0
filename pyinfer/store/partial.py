"""A file on its way into the store: resumed, checked, and published under its hash when whole.

``<key>.data`` grows by appending. Every 8 MiB it is synced, and a line with the position and the
CRC-32 of the piece goes to ``<key>.sums``; so after a power loss the good part of the data is known
and at most 8 MiB are fetched twice. The hash that decides is computed over what is on the disk
before a resume and over what was written since.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from dataclasses import dataclass
from types import TracebackType

from pyinfer.errors import DigestMismatchError
from pyinfer.store.durable import publish, storage_errors, sync_folder, write_all
from pyinfer.store.local import Store
from pyinfer.store.manifest import StoredFile

PIECE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Expected:
    """What a file must be.

    Attributes
    ----------
    name : str
        File name, for messages and the manifest.
    size : int or None
        Bytes; None for a local file that is being copied.
    sha256 : str
        64 hexadecimal digits; empty if not known.
    git_sha1 : str
        Hash of the git object; empty if not known.
    """

    name: str
    size: int | None = None
    sha256: str = ""
    git_sha1: str = ""

    @property
    def key(self) -> str:
        """Name of the partial files; the same in every process that fetches the file."""
        return f"sha256-{self.sha256}" if self.sha256 else f"git-{self.git_sha1}-{self.size}"


class PartialFile:
    """Collects the bytes of one file. A context manager: what was received stays on an error.

    Parameters
    ----------
    store : Store
        Prepared.
    expected : Expected
    key : str
        Name of the files in ``store.partial``; nobody else may use it meanwhile.
    """

    def __init__(self, store: Store, expected: Expected, key: str) -> None:
        self._store = store
        self._expected = expected
        self._data = store.partial / f"{key}.data"
        self._sums = store.partial / f"{key}.sums"
        self._fds: list[int] = []

    def __enter__(self) -> PartialFile:
        with self._errors():
            try:
                for path in (self._data, self._sums):
                    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                    self._fds.append(os.open(path, flags, 0o644))
                self._resume()
            except BaseException:
                self._close()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if len(self._fds) == 2 and self.offset > self._synced:
            with contextlib.suppress(OSError):  # the bytes so far serve the next attempt
                self._sync_piece()
        self._close()

    def _errors(self) -> contextlib.AbstractContextManager[None]:
        return storage_errors(f"storing {self._expected.name}")

    def _close(self) -> None:
        while self._fds:
            with contextlib.suppress(OSError):  # what matters has been synced
                os.close(self._fds.pop())

    def _begin(self) -> None:
        size = self._expected.size
        self._sha256 = hashlib.sha256()
        self._git = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        self._crc = 0
        self._synced = 0
        self.offset = 0

    def _resume(self) -> None:
        """Take over the pieces whose sums are right; cut off the rest."""
        self._begin()
        data, sums = self._fds
        # Room for the sums is taken now: a disk that runs full must not cost what was received.
        os.posix_fallocate(sums, 0, self._sums_room())
        journal = os.pread(sums, os.fstat(sums).st_size, 0).partition(b"\0")[0]
        lines = []
        for line in journal.decode("ascii", "replace").splitlines():
            end, _, crc = line.partition(" ")
            length = int(end) - self.offset if end.isdigit() and len(end) < 20 else 0
            if not 0 < length <= 2 * PIECE_BYTES:
                break
            piece = os.pread(data, length, self.offset)
            if len(piece) != length or f"{zlib.crc32(piece):08x}" != crc:
                break
            self._sha256.update(piece)
            self._git.update(piece)
            self.offset = int(end)
            lines.append(line + "\n")
        self._synced = self.offset
        os.ftruncate(data, self.offset)
        os.lseek(data, self.offset, os.SEEK_SET)
        self._overwrite_sums("".join(lines).encode())

    def _sums_room(self) -> int:
        return 4096 + (self._expected.size or 0) // PIECE_BYTES * 32

    def _overwrite_sums(self, lines: bytes) -> None:
        """Replace the lines without giving back the room."""
        os.lseek(self._fds[1], 0, os.SEEK_SET)
        write_all(self._fds[1], lines.ljust(self._sums_room(), b"\0"))
        os.lseek(self._fds[1], len(lines), os.SEEK_SET)

    def restart(self) -> None:
        """Forget what was received."""
        with self._errors():
            os.ftruncate(self._fds[0], 0)
            os.lseek(self._fds[0], 0, os.SEEK_SET)
            self._overwrite_sums(b"")
        self._begin()

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises
        ------
        StoreFullError, StoreIOError
            What had been written before stays for the next attempt.
        """
        view = memoryview(data)
        with self._errors():
            while view:
                part = view[: self._synced + PIECE_BYTES - self.offset]
                n = os.write(self._fds[0], part)
                written = part[:n]
                self._sha256.update(written)
                self._git.update(written)
                self._crc = zlib.crc32(written, self._crc)
                self.offset += n
                view = view[n:]
                if self.offset - self._synced >= PIECE_BYTES:
                    self._sync_piece()

    def _sync_piece(self) -> None:
        data, sums = self._fds
        os.fdatasync(data)
        write_all(sums, f"{self.offset} {self._crc:08x}\n".encode())
        os.fdatasync(sums)
        self._synced, self._crc = self.offset, 0

    def finish(self) -> StoredFile:
        """Compare size and hash, and publish the file under its hash.

        Raises
        ------
        DigestMismatchError
            The bytes are wrong; they are thrown away.
        StoreFullError, StoreIOError
            Nothing is published; the next attempt takes over.
        """
        expected, digest = self._expected, self._sha256.hexdigest()
        wrong = ""
        if expected.size is not None and self.offset != expected.size:
            wrong = f"has {self.offset} bytes, expected {expected.size}"
        elif expected.sha256 and digest != expected.sha256:
            wrong = f"has the hash sha256:{digest[:12]}, expected {expected.sha256[:12]}"
        elif expected.git_sha1 and self._git.hexdigest() != expected.git_sha1:
            wrong = f"has the git hash {self._git.hexdigest()[:12]}, not {expected.git_sha1[:12]}"
        if wrong:
            self.restart()
            raise DigestMismatchError(f"{expected.name} {wrong}", hint="the bytes were thrown away")
        size = self.offset
        with self._errors():
            os.fsync(self._fds[0])
            publish(self._data, self._store.blob(f"sha256:{digest}"))
            os.fchmod(self._fds[0], 0o444)
            sync_folder(self._store.partial)
            self._close()
            self._sums.unlink(missing_ok=True)
        return StoredFile(expected.name, f"sha256:{digest}", size)

    def discard(self) -> None:
        """Delete the files."""
        self._close()
        for path in (self._data, self._sums):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
