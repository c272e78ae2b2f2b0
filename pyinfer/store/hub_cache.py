"""Models that ``huggingface_hub`` has downloaded before, read in place and never changed.

::

    models--<org>--<repo>/refs/<revision>           a commit
    models--<org>--<repo>/snapshots/<commit>/...    links to ../../blobs/...
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyinfer.errors import InvalidNameError, ModelNotFoundError, ModelUnsupportedError
from pyinfer.store.folders import children, files_below
from pyinfer.store.names import DEFAULT_REVISION, HubReference, parse_hub_reference
from pyinfer.store.places import hub_cache_root
from pyinfer.store.selection import Selection, select_files

MAX_FILES = 10_000
_MAX_INDEX_BYTES = 16 << 20
_COMMIT = re.compile(r"[0-9a-f]{5,64}")


@dataclass(frozen=True, slots=True)
class CachedModel:
    """A complete model of the cache.

    Attributes
    ----------
    reference : HubReference
    path : Path
        What the loader opens.
    files : tuple of Path
    commit : str
    """

    reference: HubReference
    path: Path
    files: tuple[Path, ...]
    commit: str

    @property
    def digest(self) -> str:
        """64 hexadecimal digits that are the same for the same files."""
        names = sorted(file.name for file in self.files)
        return hashlib.sha256("\n".join([self.commit, *names]).encode()).hexdigest()


def find_cached(reference: HubReference, root: Path | None = None) -> CachedModel | None:
    """Return the model if the cache has all of its files, else None."""
    root = hub_cache_root() if root is None else root
    repo = root / f"models--{reference.org}--{reference.repo}"
    snapshot = _snapshot(repo, reference.revision)
    if snapshot is None:
        return None
    try:
        selection = select_files(_names(snapshot), reference.selector, reference.repo_id)
    except (ModelNotFoundError, ModelUnsupportedError):
        return None
    return _complete(reference, snapshot, selection)


def cached_models(root: Path | None = None) -> Iterator[CachedModel]:
    """Every complete model of the cache, at the main revision."""
    root = hub_cache_root() if root is None else root
    for repo in children(root):
        if not repo.name.startswith("models--") or repo.name.count("--") < 2:
            continue
        try:
            reference = parse_hub_reference("hf:" + "/".join(repo.name.split("--")[1:3]))
        except InvalidNameError:
            continue
        snapshot = _snapshot(repo, DEFAULT_REVISION)
        if snapshot is None:
            continue
        for selector in _selectors(snapshot):
            named = HubReference(reference.org, reference.repo, selector, DEFAULT_REVISION)
            found = find_cached(named, root)
            if found is not None:
                yield found


def _selectors(snapshot: Path) -> list[str]:
    names = _names(snapshot)
    selectors = [""] if "config.json" in names else []
    labels = set()
    for name in names:
        if name.endswith(".gguf"):
            try:
                labels.add(select_files(names, name, "").label)
            except ModelNotFoundError:
                continue
    return selectors + sorted(labels)


def _snapshot(repo: Path, revision: str) -> Path | None:
    try:
        commit = (repo / "refs" / revision).read_text("ascii").strip()
    except (OSError, ValueError):
        commit = revision
    if not _COMMIT.fullmatch(commit):
        return None
    snapshot = repo / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None


def _names(snapshot: Path) -> list[str]:
    names = []
    for path in files_below(snapshot):  # a link to a blob that is not there is none
        names.append(path.relative_to(snapshot).as_posix())
        if len(names) >= MAX_FILES:
            break
    return names


def _complete(reference: HubReference, snapshot: Path, selection: Selection) -> CachedModel | None:
    files = tuple(snapshot / name for name in selection.files)
    if selection.kind == "folder":
        if not _has_all_shards(snapshot):
            return None
        return CachedModel(reference, snapshot, files, snapshot.name)
    split = re.search(r"-of-([0-9]{5})\.gguf$", files[0].name)
    if split and len(files) != int(split[1]):
        return None
    return CachedModel(reference, files[0], files, snapshot.name)


def _has_all_shards(snapshot: Path) -> bool:
    index = snapshot / "model.safetensors.index.json"
    try:
        if not index.is_file():
            return (snapshot / "model.safetensors").is_file()
        if index.stat().st_size > _MAX_INDEX_BYTES:
            return False
        shards = set(json.loads(index.read_bytes())["weight_map"].values())
        return all("/" not in shard and (snapshot / shard).is_file() for shard in shards)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
