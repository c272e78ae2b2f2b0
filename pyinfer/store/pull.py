"""Getting a model: from the hub, or from files that were copied by hand."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pyinfer.checkpoint.checkpoint import check_config, open_checkpoint
from pyinfer.checkpoint.json_file import read_json_object
from pyinfer.checkpoint.limits import MAX_CONFIG_BYTES
from pyinfer.checkpoint.model_files import model_files
from pyinfer.errors import InvalidNameError, ModelNotFoundError, RegistryError, StoreFullError
from pyinfer.store.download import Report, copy_file, fetch_file
from pyinfer.store.durable import storage_errors
from pyinfer.store.hub import (
    HubFile,
    HubListing,
    file_url,
    hub_endpoint,
    hub_headers,
    is_offline,
    list_repository,
)
from pyinfer.store.local import Store, StoredModel
from pyinfer.store.manifest import Manifest, StoredFile
from pyinfer.store.names import (
    HubReference,
    ModelName,
    check_file_name,
    is_hub_reference,
    parse_hub_reference,
    parse_name,
)
from pyinfer.store.partial import Expected
from pyinfer.store.selection import Selection, select_files, select_local, stored_name
from pyinfer.store.transport import NetworkSettings, Transport

SPARE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class PullEvent:
    """What a pull is doing.

    Attributes
    ----------
    status : str
        ``asking``, ``fetching``, ``copying``, ``waiting for another process``, ``verifying``,
        ``trying again: ...``, ``writing the manifest`` or ``done``.
    file : str
        The file it is about.
    number, count : int
        Which one of how many files.
    done, total : int
        Bytes of all files that are here, and in all.
    digest : str
        ``sha256:`` or ``sha1:`` and the hash that the file must have; empty where not known.
    before, size : int
        Bytes of the files before it, and its own.
    """

    status: str
    file: str = ""
    number: int = 0
    count: int = 0
    done: int = 0
    total: int = 0
    digest: str = ""
    before: int = 0
    size: int = 0


Progress = Callable[[PullEvent], None]


def pull(
    model: str,
    *,
    name: str | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
    settings: NetworkSettings | None = None,
) -> StoredModel:
    """Bring a model of the hub into the store. What is here already is not fetched again.

    Parameters
    ----------
    model : str
        ``hf:org/repo[:file-or-quant][@revision]``.
    name : str, optional
        Keep it under this name; default: ``hf.co/org/repo:`` and the quantization.
    store : Store, optional
    progress : callable, optional
        Told a :class:`PullEvent` many times per second.
    settings : NetworkSettings, optional

    Raises
    ------
    InvalidNameError, UsageError
        The reference, or a setting in the environment.
    ModelNotFoundError, ModelUnsupportedError
        The repository has no such model, or one that does not run.
    RegistryError, DigestMismatchError, RegistryTimeout
        The hub; running it again continues.
    StoreFullError, StoreIOError
        The disk; running it again continues.
    """
    if not is_hub_reference(model):
        raise InvalidNameError(
            f"{model[:200]!r} is no model of the hub",
            hint="write hf:org/repo or hf:org/repo:Q4_K_M; files copied by hand: --from DIR",
        )
    reference = parse_hub_reference(model)
    target = None if name is None else parse_name(name)
    store = Store() if store is None else store
    if is_offline():
        return _offline(store, target or parse_name(model), model)
    tell = progress or (lambda event: None)
    endpoint, headers = hub_endpoint(), hub_headers()
    tell(PullEvent("asking"))
    with Transport(endpoint, headers, settings or NetworkSettings()) as transport:
        listing = list_repository(transport, reference)
        chosen = select_files(listing.files, reference.selector, reference.repo_id)
        target = target or reference.stored_name(chosen.label)
        with store.adding():
            files = _fetch_all(transport, reference, listing, chosen, store, tell)
            source = str(replace(reference, selector=reference.selector or chosen.label))
            manifest = Manifest(chosen.kind, files, source, listing.commit)
            tell(PullEvent("writing the manifest", done=manifest.size, total=manifest.size))
            stored = store.add(target, manifest)
    tell(PullEvent("done", done=manifest.size, total=manifest.size))
    return stored


def _offline(store: Store, name: ModelName, model: str) -> StoredModel:
    stored = store.find(name)
    if stored is None:
        raise RegistryError(
            f"{model} is not in the store, and HF_HUB_OFFLINE forbids to fetch it",
            hint="unset HF_HUB_OFFLINE, or copy the files by hand and use --from",
        )
    store.path_of(stored)  # still whole?
    return stored


def _fetch_all(
    transport: Transport,
    reference: HubReference,
    listing: HubListing,
    chosen: Selection,
    store: Store,
    tell: Progress,
) -> tuple[StoredFile, ...]:
    entries = [listing.files[path] for path in chosen.files]
    total = sum(entry.size for entry in entries)
    _check_space(store, entries)
    stored: list[StoredFile] = []
    before = 0
    for number, entry in enumerate(entries, 1):
        name = check_file_name(entry.path.rpartition("/")[2])

        digest = f"sha256:{entry.sha256}" if entry.sha256 else f"sha1:{entry.git_sha1}"
        at = PullEvent(
            "", name, number, len(entries), before, total, digest, before=before, size=entry.size
        )
        report = _reporter(tell, at)
        expected = Expected(name, entry.size, entry.sha256, entry.git_sha1)
        url = file_url(transport, reference, listing.commit, entry.path)
        stored.append(fetch_file(transport, url, store, expected, report))
        before += entry.size
        if name == "config.json":
            _check_architecture(store, stored[-1], reference)
    return tuple(stored)


def _reporter(tell: Progress, at: PullEvent) -> Report:
    """What tells about one file; ``at.done`` are the bytes of the files before it."""

    def report(status: str, done: int) -> None:
        tell(replace(at, status=status, done=at.done + done))

    return report


def _check_space(store: Store, entries: list[HubFile]) -> None:
    missing = 0
    for entry in entries:
        if not store.has_blob(f"sha256:{entry.sha256}", entry.size):
            missing += entry.size
            data = store.partial / f"sha256-{entry.sha256}.data"
            with contextlib.suppress(OSError):  # not begun, or cleaned up
                missing -= min(entry.size, data.stat().st_size)
    with storage_errors("the store"):
        free = shutil.disk_usage(store.root).free
    if missing + SPARE_BYTES > free and missing:
        raise StoreFullError(
            f"the model needs {missing / 1e9:.2f} GB more, {free / 1e9:.2f} GB are free",
            hint="free some space, or set PYINFER_MODELS to a folder on another disk",
        )


def _check_architecture(store: Store, file: StoredFile, reference: HubReference) -> None:
    """Raise before gigabytes are fetched that could not run."""
    data = read_json_object(store.blob(file.digest), MAX_CONFIG_BYTES)
    check_config(data, reference.repo_id)


def import_files(
    path: Path,
    model: str,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
) -> StoredModel:
    """Bring files that were copied by hand into the store.

    Parameters
    ----------
    path : Path
        A folder with the files of one model, or a GGUF file.
    model : str
        The name to keep it under; of a hub reference the part after ``:`` also selects.
    store, progress
        As :func:`pull`.

    Raises
    ------
    ModelNotFoundError, ModelFormatError, ModelUnsupportedError
        There is no complete, sound model.
    StoreFullError, StoreIOError
        Reading or storing failed.
    """
    store = Store() if store is None else store
    tell = progress or (lambda event: None)
    name, selector = parse_name(model), ""
    if is_hub_reference(model):
        selector = parse_hub_reference(model).selector
    folder, chosen = choose_local(path, selector)
    with open_checkpoint(folder / chosen.files[0] if chosen.kind == "gguf" else folder):
        pass  # whole and sound
    if not name.tag and is_hub_reference(model):
        name = parse_hub_reference(model).stored_name(chosen.label)
    sources = [folder / file for file in chosen.files]
    with storage_errors(f"reading {folder.name}"):
        sizes = [source.stat().st_size for source in sources]
    stored: list[StoredFile] = []
    with store.adding():
        for number, source in enumerate(sources, 1):
            before = sum(sizes[: number - 1])

            event = PullEvent("", source.name, number, len(sources), before, sum(sizes))
            report = _reporter(tell, event)
            expected = Expected(check_file_name(stored_name(chosen, source.name)))
            stored.append(copy_file(source, store, expected, report))
        manifest = Manifest(chosen.kind, tuple(stored), f"files of {path.name}")
        return store.add(name, manifest)


def choose_local(path: Path, selector: str) -> tuple[Path, Selection]:
    """The folder and the files of a model that was copied by hand.

    Raises
    ------
    ModelNotFoundError, StoreIOError
        There is none; it cannot be read.
    """
    with storage_errors(f"reading {path.name}"):
        if path.is_file():
            return path.parent, select_local(model_files(path))
        if path.is_dir():
            names = [entry.name for entry in path.iterdir() if entry.is_file()]
            return path, select_files(names, selector, path.name)
    raise ModelNotFoundError(f"{str(path)!r} does not exist", hint="--from takes a folder or file")
