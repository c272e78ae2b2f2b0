"""Bringing files of this machine into the store."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pyinfer.store.check import file_digest
from pyinfer.store.download import copy_file
from pyinfer.store.durable import publish, storage_errors
from pyinfer.store.local import Store
from pyinfer.store.manifest import StoredFile
from pyinfer.store.names import check_file_name
from pyinfer.store.partial import Expected


def adopt_file(path: Path, store: Store, name: str) -> StoredFile:
    """Move a finished file inside ``store.partial`` to its place among the blobs.

    Raises
    ------
    StoreIOError, StoreFullError
        It cannot be read or moved.
    """
    digest = file_digest(path)
    with storage_errors(f"storing {name}"):
        size = path.stat().st_size
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
            os.fchmod(fd, 0o444)
        finally:
            os.close(fd)
        publish(path, store.blob(digest))
    return StoredFile(name, digest, size)


def copy_files(
    sources: list[tuple[str, Path]], store: Store, progress: Callable[[int, int], None]
) -> tuple[StoredFile, ...]:
    """Copy files into the store under other names; call inside :meth:`Store.adding`.

    Parameters
    ----------
    sources : list of (str, Path)
        Name in the store, and the file.
    store : Store
    progress : callable
        Called with (bytes copied, bytes in all).

    Raises
    ------
    InvalidNameError, ModelNotFoundError, ModelFormatError, StoreIOError, StoreFullError
        A name is not allowed; a file cannot be read or stored.
    """
    with storage_errors("reading the model"):
        sizes = [path.stat().st_size for _, path in sources]
    done, total = 0, sum(sizes)
    stored = []
    for (name, path), size in zip(sources, sizes, strict=True):
        start = done

        def report(status: str, copied: int, start: int = start) -> None:
            progress(start + copied, total)

        stored.append(copy_file(path, store, Expected(check_file_name(name)), report))
        done += size
    return tuple(stored)
