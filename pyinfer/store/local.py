"""The own store: who is in it, adding, copying and removing.

::

    blobs/sha256-<hex>                         whole files whose hash was right
    manifests/<host>/<namespace>/<name>/<tag>.json     what makes a model; written last
    snapshots/<identity>/<file name>           links to the blobs, as the loader wants them
    partial/                                   downloads on their way (see partial.py)
    lock                                       shared by those who add, alone for the clean-up
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.errors import InvalidNameError, ModelFormatError, ModelNotFoundError, StoreIOError
from pyinfer.store.durable import (
    TEMPORARY,
    make_folder,
    publish,
    storage_errors,
    sync_folder,
    temporary_name,
    write_file,
)
from pyinfer.store.folders import children, paths_at
from pyinfer.store.locks import locked, try_lock
from pyinfer.store.manifest import MAX_MANIFEST_BYTES, Manifest, StoredFile, parse_manifest
from pyinfer.store.names import DEFAULT_TAG, ModelName, parse_name
from pyinfer.store.places import store_root

MAX_ENTRIES = 65_536
STALE_SECONDS = 14 * 86_400
UPLOAD_SECONDS = 3_600
_UPLOAD = "uploaded-"
# Others may remove, add and clean up between any two steps; each try starts from a fresh listing.
_TRIES = 5


class _RemovedError(ModelNotFoundError):
    """Another process removed the model a moment ago."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model of the store.

    Attributes
    ----------
    name : ModelName
        With a tag.
    manifest : Manifest
    modified : float
        When it was added, in seconds since 1970.
    """

    name: ModelName
    manifest: Manifest
    modified: float


class Store:
    """A store in one folder, which need not exist. Safe for many processes at once.

    Parameters
    ----------
    root : Path, optional
        Default: :func:`~pyinfer.store.places.store_root`.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = store_root() if root is None else root
        self.blobs = self.root / "blobs"
        self.partial = self.root / "partial"
        self._manifests = self.root / "manifests"
        self._snapshots = self.root / "snapshots"
        self._lock = self.root / "lock"

    def prepare(self) -> None:
        """Create the folders.

        Raises
        ------
        StoreIOError, StoreFullError
            That is not possible.
        """
        with storage_errors("the store"):
            for folder in (self.blobs, self.partial, self._manifests, self._snapshots):
                make_folder(folder)

    @contextlib.contextmanager
    def adding(self) -> Iterator[None]:
        """Keep what is being added safe from the clean-up while the block runs."""
        self.prepare()
        with locked(self._lock, shared=True):
            yield

    def entries(self) -> Iterator[tuple[ModelName, Path]]:
        """Names and manifest files, without opening them; foreign files are passed over."""
        found = (path for path in paths_at(self._manifests, 4) if path.suffix == ".json")
        for path in itertools.islice(found, MAX_ENTRIES):
            parts = path.relative_to(self._manifests).with_suffix("").parts
            with contextlib.suppress(InvalidNameError):
                yield parse_name("/".join(parts[:3]) + ":" + path.name[: -len(".json")]), path

    def models(self) -> list[StoredModel]:
        """All models, the newest first; damaged manifests are left out."""
        found = []
        for name, path in self.entries():
            with contextlib.suppress(ModelFormatError, ModelNotFoundError, StoreIOError):
                found.append(self._read(name, path))
        return sorted(found, key=lambda model: -model.modified)

    def find(self, name: ModelName) -> StoredModel | None:
        """The model of that name, if it is here.

        Without a tag: ``latest``, or the only one there is.

        Raises
        ------
        ModelNotFoundError
            No tag was given, and there are several.
        ModelFormatError, StoreIOError
            Its manifest is damaged or cannot be read.
        """
        for _ in range(_TRIES):
            try:
                return self._find(name)
            except _RemovedError:
                continue  # between the listing and the reading
        return None

    def locate(self, name: ModelName) -> tuple[StoredModel, Path] | None:
        """As :meth:`find`, with what the loader opens (:meth:`path_of`).

        A model that is removed or replaced at the same time is not there, or is the new one.
        """
        for _ in range(_TRIES):
            model = self.find(name)
            if model is None:
                return None
            try:
                return model, self.path_of(model)
            except (ModelFormatError, StoreIOError):
                if self.find(model.name) == model:
                    raise  # damaged
        return None

    def _find(self, name: ModelName) -> StoredModel | None:
        same = {n.tag.lower(): (n, path) for n, path in self.entries() if n.key == name.key}
        if name.tag:
            entry = same.get(name.tag.lower())
        elif DEFAULT_TAG in same or len(same) < 2:
            entry = same.get(DEFAULT_TAG) or next(iter(same.values()), None)
        else:
            tags = ", ".join(sorted(n.tag for n, _ in same.values()))
            raise ModelNotFoundError(f"{name} names several models", hint=f"add a tag: {tags}")
        return None if entry is None else self._read(*entry)

    def _read(self, name: ModelName, path: Path) -> StoredModel:
        try:
            file = SourceFile(path)
        except ModelNotFoundError:
            raise _RemovedError(f"{name} was removed from the store") from None
        try:
            data = file.read(0, min(file.size, MAX_MANIFEST_BYTES + 1))
            modified = os.fstat(file.fileno()).st_mtime
        finally:
            file.close()
        return StoredModel(name, parse_manifest(bytes(data), f"manifest of {name}"), modified)

    def blob(self, digest: str) -> Path:
        """Where the file with this digest is, or would be."""
        return self.blobs / digest.replace(":", "-")

    def has_blob(self, digest: str, size: int) -> bool:
        """Whether the whole file is here."""
        try:
            status = self.blob(digest).lstat()
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size == size

    def path_of(self, model: StoredModel) -> Path:
        """What the loader opens; the sizes of all files have been compared.

        Raises
        ------
        ModelFormatError
            A file is missing or has another size than when it was added.
        """
        self.check_files(model.name, model.manifest)
        folder = self._snapshot(model.manifest)
        return folder / model.manifest.main_file if model.manifest.main_file else folder

    def check_files(self, name: ModelName, manifest: Manifest) -> None:
        """Raise ModelFormatError if a file of a model is missing or has another size."""
        for file in manifest.files:
            if not self.has_blob(file.digest, file.size):
                raise ModelFormatError(
                    f"{name}: {file.name} in the store is missing or was changed: "
                    f"expected {file.size} bytes",
                    hint="pull it again",
                )

    def _snapshot(self, manifest: Manifest) -> Path:
        folder = self._snapshots / manifest.identity
        with storage_errors("the store"):
            for last in (*[False] * (_TRIES - 1), True):
                if all(self._links_to_blob(folder / file.name, file) for file in manifest.files):
                    break
                try:
                    self._link(folder, manifest)
                except FileNotFoundError:  # the clean-up of another process took it away
                    if last:
                        raise
        return folder

    def _link(self, folder: Path, manifest: Manifest) -> None:
        make_folder(self._snapshots)
        temporary = temporary_name(self._snapshots)
        temporary.mkdir()
        for file in manifest.files:
            (temporary / file.name).symlink_to(self._link_target(file))
        sync_folder(temporary)
        if folder.is_symlink() or folder.exists():
            # Damaged by hand, or another process was faster.
            folder.rename(temporary_name(self._snapshots))
        with contextlib.suppress(FileExistsError, OSError):
            publish(temporary, folder)

    def _link_target(self, file: StoredFile) -> Path:
        return Path("..") / ".." / "blobs" / self.blob(file.digest).name

    def _links_to_blob(self, link: Path, file: StoredFile) -> bool:
        try:
            return link.readlink() == self._link_target(file)
        except OSError:
            return False

    @contextlib.contextmanager
    def reading(self, manifest: Manifest) -> Iterator[None]:
        """Keep the files of a model from the clean-up while the block runs."""
        folder = self._snapshots / manifest.identity
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            raise ModelNotFoundError("the model was removed from the store") from None
        try:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(fd, fcntl.LOCK_SH)
            yield
        finally:
            os.close(fd)

    def add(self, name: ModelName, manifest: Manifest) -> StoredModel:
        """Make a model visible. Its blobs must be here; call inside :meth:`adding`.

        Raises
        ------
        ModelFormatError
            A blob is missing.
        StoreIOError, StoreFullError
            Writing failed; the model is not visible then.
        """
        name = name if name.tag else name.with_tag(DEFAULT_TAG)
        self.check_files(name, manifest)
        self._snapshot(manifest)
        path = self._manifest_path(name)
        with storage_errors(f"the manifest of {name}"):
            for last in (*[False] * (_TRIES - 1), True):
                try:
                    make_folder(path.parent)
                    write_file(path, manifest.to_bytes())
                    break
                except FileNotFoundError:  # another process removed the empty folder
                    if last:
                        raise
        return StoredModel(name, manifest, time.time())

    def _manifest_path(self, name: ModelName) -> Path:
        for other, path in self.entries():
            if other.key == name.key and other.tag.lower() == name.tag.lower():
                return path  # the same name in other letters
        return self._manifests / name.host / name.namespace / name.name / f"{name.tag}.json"

    def keep_upload(self, digest: str) -> None:
        """Spare a blob that no model needs yet from the clean-up for an hour.

        Raises
        ------
        StoreIOError, StoreFullError
            The mark cannot be written.
        """
        self.prepare()
        with storage_errors("the store"):
            write_file(self.partial / f"{_UPLOAD}{self.blob(digest).name}", b"")

    def copy(self, source: ModelName, target: ModelName) -> StoredModel:
        """Give a model a second name; no weight is copied.

        Raises
        ------
        ModelNotFoundError
            ``source`` is not in the store.
        """
        with self.adding():
            model = self.find(source)
            if model is None:
                raise ModelNotFoundError(f"{source} is not in the store")
            return self.add(target, model.manifest)

    def remove(self, name: ModelName) -> int:
        """Remove a name, and every file that no other name needs.

        Files that somebody reads at this moment, or that a pull may need, go with a later
        clean-up.

        Returns
        -------
        int
            Bytes that became free.

        Raises
        ------
        ModelNotFoundError
            It is not in the store.
        """
        model = self.find(name)
        if model is None:
            raise ModelNotFoundError(f"{name} is not in the store")
        path = self._manifest_path(model.name)
        with storage_errors(f"the manifest of {name}"):
            path.unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):  # whoever else removes a model
                sync_folder(path.parent)
        with contextlib.suppress(OSError):
            for folder in list(path.parents)[:3]:
                folder.rmdir()
        return self.collect()

    def collect(self) -> int:
        """Delete what no model needs, unless something is being added; return the bytes freed."""
        if not self.root.is_dir():
            return 0
        with storage_errors("the store"):
            fd = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                return self._collect() if try_lock(fd) else 0
            finally:
                os.close(fd)

    def _collect(self) -> int:
        needed: set[str] = set()
        snapshots: set[str] = set()
        for name, path in self.entries():
            try:
                manifest = self._read(name, path).manifest
            except ModelNotFoundError:
                continue
            except (ModelFormatError, StoreIOError):
                return 0  # what a damaged manifest needs is not known
            needed |= {self.blob(file.digest).name for file in manifest.files}
            snapshots.add(manifest.identity)
        for folder in children(self._snapshots):
            if folder.name not in snapshots and not self._drop_snapshot(folder):
                for link in children(folder):
                    with contextlib.suppress(OSError):
                        needed.add(link.readlink().name)
        needed |= self._uploads()
        freed = 0
        for blob in children(self.blobs):
            if blob.name not in needed:
                freed += _delete(blob)
        for left in children(self.partial):
            with contextlib.suppress(OSError):
                if time.time() - left.lstat().st_mtime > STALE_SECONDS:
                    freed += _delete(left)
        for folder in {path.parent for _, path in self.entries()}:
            for left in children(folder):
                if left.name.startswith(TEMPORARY):
                    _delete(left)
        return freed

    def _uploads(self) -> set[str]:
        """Names of the blobs that were uploaded lately."""
        names = set()
        for mark in children(self.partial):
            with contextlib.suppress(OSError):
                if mark.name.startswith(_UPLOAD):
                    if time.time() - mark.lstat().st_mtime < UPLOAD_SECONDS:
                        names.add(mark.name.removeprefix(_UPLOAD))
                    else:
                        _delete(mark)
        return names

    def _drop_snapshot(self, folder: Path) -> bool:
        """Remove a snapshot that nobody reads; False if somebody does."""
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return True
        try:
            if try_lock(fd) is not True:
                return False
            shutil.rmtree(folder, ignore_errors=True)
            return True
        finally:
            os.close(fd)


def _delete(path: Path) -> int:
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return 0
        path.unlink()
    except OSError:
        return 0
    return status.st_size
