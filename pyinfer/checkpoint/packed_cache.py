"""A folder of packed files: found by what a model's files are, kept within a size.

Off unless asked for. Nothing here ever fails a load: a file that is damaged, of another version or
of another model is passed over and written anew, and what prevents writing becomes a line of the
load report. Files are written under a temporary name that the writer locks, flushed, then renamed;
processes that find the lock taken leave the writing to its holder.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from pyinfer.checkpoint.model_files import INDEX, model_files
from pyinfer.checkpoint.packed_file import (
    FORMAT_VERSION,
    PackedFileError,
    PackedModel,
    read_description,
)
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.errors import ModelFormatError, ModelNotFoundError, PyinferError, StoreIOError
from pyinfer.model.contract import CONTRACT_VERSION, PANELS_VERSION

SUFFIX = ".packed"
_TEMPORARY = ".writing"
_NAME = re.compile(r"[0-9a-f]{32}\.(packed|writing)")
MAX_FOLDER_BYTES = 64 << 30
FREE_SHARE = 0.1  # of the disk, which is left free

_SAMPLES, _SAMPLE_BYTES, _END_BYTES = 16, 4096, 65_536
_FOLDER_FILES = ("config.json", "generation_config.json")


def default_folder() -> Path:
    """``$XDG_CACHE_HOME/pyinfer/packed``, by default below ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "pyinfer" / "packed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the folder."""

    path: Path
    size: int
    last_used: float


class PackedCache:
    """Packed files in one folder.

    Parameters
    ----------
    folder : Path
        Made when the first file is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self, path: Path, dtype: str | None) -> str | None:
        """Identify a model as it would be packed; None if its files cannot be looked at.

        The files' names, sizes, modification times and samples of their contents count, not the
        folder they are in.
        """
        try:
            sources = [_identity(file) for file in _source_files(path)]
        except (PyinferError, OSError, ValueError):
            return None  # opening the model tells what is wrong
        if not sources:
            return None
        versions = [FORMAT_VERSION, CONTRACT_VERSION, PANELS_VERSION]
        text = json.dumps([versions, dtype, sources])
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    @contextlib.contextmanager
    def open(self, key: str) -> Iterator[tuple[SourceFile, PackedModel, str] | None]:
        """The open file of ``key``, its description and the digest of its weights; None if bad."""
        try:
            file = SourceFile(self._path(key))
        except (ModelFormatError, ModelNotFoundError, StoreIOError):
            yield None
            return
        try:
            if not _is_own(file):
                yield None
                return
            try:
                found = (file, *read_description(file, key))
            except PackedFileError:
                yield None
                return
            with contextlib.suppress(OSError):
                os.utime(file.fileno())  # last use, for `clean`
            yield found
        finally:
            file.close()

    def write(self, key: str, nbytes: int, fill: Callable[[int], None]) -> str:
        """Write the file of ``key`` by ``fill(fd)`` and return a line for the load report."""
        temporary = self._path(key).with_suffix(_TEMPORARY)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.clean(MAX_FOLDER_BYTES - nbytes)
            disk = os.statvfs(self.folder)
            if disk.f_bavail * disk.f_frsize - nbytes < disk.f_blocks * disk.f_frsize * FREE_SHARE:
                return f"packed cache: not written, {self.folder} would get too full"
            if nbytes > MAX_FOLDER_BYTES:
                return "packed cache: not written, the model is larger than the limit"
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            fd = os.open(temporary, flags, 0o600)
            try:
                if not _is_writer(fd, temporary):
                    return "packed cache: another process is writing the file"
                try:
                    os.ftruncate(fd, 0)
                    fill(fd)
                    os.fchmod(fd, 0o400)
                    temporary.replace(self._path(key))
                except BaseException:
                    temporary.unlink(missing_ok=True)
                    raise
            finally:
                os.close(fd)
            _sync(self.folder)
        except OSError as error:
            return f"packed cache: not written: {error.strerror or error}"
        return f"packed cache: {nbytes / 1e9:.2f} GB written to {self._path(key)}"

    def entries(self) -> list[Entry]:
        """Packed files and left-over temporary ones, least recently used first."""
        found = []
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if _NAME.fullmatch(path.name):
                    with contextlib.suppress(FileNotFoundError):
                        status = path.lstat()
                        found.append(Entry(path, status.st_size, status.st_mtime))
        return sorted(found, key=lambda entry: entry.last_used)

    def clean(self, max_bytes: int = 0) -> int:
        """Remove what an ended writer left and the least recently used files beyond ``max_bytes``.

        Returns the bytes freed. A file that is mapped stays usable for those who map it.
        """
        freed, kept = 0, 0
        for entry in reversed(self.entries()):
            if entry.path.suffix == _TEMPORARY:
                stays = _is_locked(entry.path)
            else:
                kept += entry.size
                stays = kept <= max_bytes
            if not stays:
                entry.path.unlink(missing_ok=True)
                freed += entry.size
        return freed

    def _path(self, key: str) -> Path:
        return self.folder / (key + SUFFIX)


def _is_own(file: SourceFile) -> bool:
    """Whether nobody else may write the file: it is mapped, and must stay as it is."""
    status = os.fstat(file.fileno())
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _is_writer(fd: int, path: Path) -> bool:
    """Lock the temporary file; False if somebody holds it, or has just renamed it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(fd), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _is_locked(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _source_files(path: Path) -> list[Path]:
    found = model_files(path)
    folder = found.path if found.kind == "folder" else found.path.parent
    weights = [folder / name for name in found.weights]
    if found.kind == "gguf":
        return weights
    return [folder / name for name in (*_FOLDER_FILES, INDEX) if (folder / name).exists()] + weights


def _identity(path: Path) -> tuple[str, int, int, str]:
    """Name, size, modification time, and a digest of both ends and of samples in between."""
    file = SourceFile(path)
    try:
        digest = blake2b(digest_size=16)
        step = max(1, file.size // _SAMPLES)
        ranges = [(0, _END_BYTES), (max(0, file.size - _END_BYTES), _END_BYTES)]
        ranges += [(i * step, _SAMPLE_BYTES) for i in range(1, _SAMPLES)]
        for start, length in ranges:
            if start < file.size:
                digest.update(file.read(start, min(length, file.size - start)))
        modified = os.fstat(file.fileno()).st_mtime_ns
        return path.name, file.size, modified, digest.hexdigest()
    finally:
        file.close()
