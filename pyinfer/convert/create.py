"""Making a model of the store from another one, with settings and in another format."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pyinfer.checkpoint.checkpoint import Checkpoint, open_checkpoint
from pyinfer.checkpoint.model_files import model_files
from pyinfer.convert.requantize import requantize
from pyinfer.convert.to_gguf import folder_to_gguf
from pyinfer.errors import ModelNotFoundError, UsageError
from pyinfer.quant.plan import MIXES, FileRules
from pyinfer.store.adopt import adopt_file, copy_files
from pyinfer.store.details import read_details
from pyinfer.store.local import Store, StoredModel
from pyinfer.store.manifest import Manifest, ModelKind, StoredFile, check_digest
from pyinfer.store.model_settings import ModelSettings
from pyinfer.store.names import DEFAULT_TAG, ModelName, check_file_name, parse_name
from pyinfer.store.resolve import ResolvedModel
from pyinfer.store.selection import select_files, select_local, stored_name


@dataclass(frozen=True, slots=True)
class CreateEvent:
    """What is being done; ``done`` of ``total`` bytes where that is known."""

    status: str
    done: int = 0
    total: int = 0


Progress = Callable[[CreateEvent], None]
#: A model that is here, or names of files and the digests of their blobs in the store.
Base = ResolvedModel | Mapping[str, str]


def create_model(
    name: ModelName,
    base: Base,
    settings: ModelSettings,
    *,
    quantize: str = "",
    store: Store | None = None,
    progress: Progress | None = None,
) -> StoredModel:
    """Add a model to the store. Weights that are in the store already are not copied.

    Parameters
    ----------
    name : ModelName
    base : ResolvedModel or mapping of str to str
    settings : ModelSettings
        Win over those of ``base``; parameters one by one.
    quantize : str
        A mix such as ``q4_k_m``: write the weights, which must be floats, in this format.
    store : Store, optional
    progress : callable, optional
        Told a :class:`CreateEvent`.

    Raises
    ------
    UsageError
        ``quantize`` is no format, or the weights are quantized already.
    ModelNotFoundError, ModelFormatError, ModelUnsupportedError, InvalidNameError
        ``base`` is not complete and sound.
    StoreFullError, StoreIOError
        Reading or storing failed; nothing is visible then.
    """
    store = Store() if store is None else store
    tell = progress or (lambda event: None)
    rules = FileRules(_mix(quantize)) if quantize else None
    with store.adding():
        kind, path, files = _found(base, store, tell, copy=rules is None)
        if rules is not None:
            kind, files = "gguf", (_quantized(path, rules, store, tell),)
        source = f"model {base.name}" if isinstance(base, ResolvedModel) else "files"
        parent = ""
        if isinstance(base, ResolvedModel):
            settings, parent = settings.over(base.settings), base.name
        manifest = Manifest(kind, files, source, settings=replace(settings, parent=parent))
        tell(CreateEvent("writing manifest"))
        return store.add(name, manifest)


def _mix(text: str) -> str:
    mix = text.lower()
    if mix not in MIXES:
        raise UsageError(
            f"{text[:40]!r} is no format to quantize to", hint=f"use one of: {', '.join(MIXES)}"
        )
    return mix


def _found(
    base: Base, store: Store, tell: Progress, *, copy: bool
) -> tuple[ModelKind, Path, tuple[StoredFile, ...]]:
    """Kind, what the loader opens, and the files in the store (none without ``copy``)."""
    if not isinstance(base, ResolvedModel):
        return _from_blobs(base, store, tell)
    if base.source == "store":
        stored = store.find(parse_name(base.name))
        if stored is None:
            raise ModelNotFoundError(f"{base.name} was removed from the store")
        return stored.manifest.kind, base.path, stored.manifest.files
    if base.source == "ollama":
        kind: ModelKind = "gguf"
        sources = [("model.gguf", base.path)]
    else:
        found = model_files(base.path)
        chosen = select_local(found)
        kind = chosen.kind
        folder = found.path if kind == "folder" else found.path.parent
        sources = [
            (check_file_name(stored_name(chosen, name)), folder / name) for name in chosen.files
        ]
    _check(base.path, tell)
    if not copy:
        return kind, base.path, ()
    report = _reporter(tell, f"copying {base.name}")
    return kind, base.path, copy_files(sources, store, report)


def _from_blobs(
    files: Mapping[str, str], store: Store, tell: Progress
) -> tuple[ModelKind, Path, tuple[StoredFile, ...]]:
    sizes: dict[str, StoredFile] = {}
    for name, digest in files.items():
        path = store.blob(check_digest(digest, check_file_name(name)))
        try:
            sizes[name] = StoredFile(name, digest, path.stat().st_size)
        except OSError:
            raise ModelNotFoundError(
                f"the blob {digest[:19]} of {name} is not here", hint="upload it first"
            ) from None
    chosen = select_files(sizes, "", "the list of files")
    stored = tuple(sizes[name] for name in chosen.files)
    whole = StoredModel(
        ModelName("local", "library", "files", DEFAULT_TAG),
        Manifest(chosen.kind, stored, "files"),
        0.0,
    )
    path = store.path_of(whole)
    _check(path, tell)
    return chosen.kind, path, stored


def _check(path: Path, tell: Progress) -> None:
    """Raise unless the loader can open the model."""
    tell(CreateEvent("converting model" if path.is_dir() else "parsing GGUF"))
    with open_checkpoint(path):
        pass


def _quantized(path: Path, rules: FileRules, store: Store, tell: Progress) -> StoredFile:
    name = f"{rules.mix}.gguf"
    out = store.partial / f"create-{secrets.token_hex(8)}.gguf"
    stored = read_details(path).main_format.upper()
    report = _reporter(tell, f"quantizing {stored} model to {rules.mix.upper()}")
    try:
        with open_checkpoint(path) as checkpoint:
            _write(checkpoint, out, rules, report)
        return adopt_file(out, store, name)
    finally:
        with contextlib.suppress(OSError):
            out.unlink(missing_ok=True)


def _write(
    checkpoint: Checkpoint, out: Path, rules: FileRules, report: Callable[[int, int], None]
) -> None:
    if checkpoint.kind == "gguf":
        requantize(checkpoint, out, rules, progress=report)
    else:
        folder_to_gguf(checkpoint, out, rules, progress=report)


def _reporter(tell: Progress, status: str) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        tell(CreateEvent(status, done, total))

    return report
