"""Comparing stored files with their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.errors import DigestMismatchError, ModelNotFoundError
from pyinfer.store.local import Store
from pyinfer.store.names import parse_name
from pyinfer.store.ollama import find_ollama
from pyinfer.store.resolve import ResolvedModel

READ_BYTES = 4 << 20

Progress = Callable[[int, int], None]


def verify_model(model: ResolvedModel, progress: Progress | None = None) -> int:
    """Read every file of a stored model and compare its hash.

    Parameters
    ----------
    model : ResolvedModel
        Of the own store or an Ollama store.
    progress : callable, optional
        Called with (bytes read, bytes in all).

    Returns
    -------
    int
        Bytes read.

    Raises
    ------
    DigestMismatchError
        A file has other bytes than when it was added.
    ModelNotFoundError
        The model is in neither of the two stores, so nobody knows its hashes.
    StoreIOError
        A file cannot be read.
    """
    files = _files(model)
    total = sum(size for _, _, _, size in files)
    done = 0

    def advance(read: int) -> None:
        if progress is not None:
            progress(done + read, total)

    for name, path, digest, size in files:
        found = file_digest(path, advance)
        if found != digest:
            raise DigestMismatchError(
                f"{model.name}: {name} has the hash {found[:19]}, expected {digest[:19]}",
                hint="the file was damaged after it had been stored; remove and pull the model",
            )
        done += size
    return total


def _files(model: ResolvedModel) -> list[tuple[str, Path, str, int]]:
    if model.source == "store":
        store = Store()
        stored = store.find(parse_name(model.name))
        if stored is not None:
            return [
                (file.name, store.blob(file.digest), file.digest, file.size)
                for file in stored.manifest.files
            ]
    if model.source == "ollama":
        found = find_ollama(parse_name(model.name))
        if found is not None:
            return [(x.digest[:19], x.path, x.digest, x.size) for x in found.layers]
    raise ModelNotFoundError(
        f"{model.name} is in no store that keeps hashes", hint="only stored models can be verified"
    )


def file_digest(path: Path, progress: Callable[[int], object] | None = None) -> str:
    """``sha256:`` and the hexadecimal hash of a file; ``progress`` is told the bytes read."""
    file = SourceFile(path)
    sha, done = hashlib.sha256(), 0
    try:
        while done < file.size:
            data = file.read(done, min(READ_BYTES, file.size - done))
            sha.update(data)
            done += len(data)
            if progress is not None:
                progress(done)
    finally:
        file.close()
    return f"sha256:{sha.hexdigest()}"
