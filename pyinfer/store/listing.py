"""Every model that can be run by its name, from all stores."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pyinfer.errors import PyinferError
from pyinfer.store.hub_cache import cached_models
from pyinfer.store.local import Store
from pyinfer.store.model_settings import ModelSettings
from pyinfer.store.ollama import ollama_models
from pyinfer.store.resolve import Source


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One line of the list.

    Attributes
    ----------
    name : str
        What :func:`~pyinfer.store.resolve.resolve_model` takes.
    identity : str
        12 hexadecimal digits; the same for the same files within one store.
    size : int
        Bytes.
    modified : float
        Seconds since 1970.
    source : "store", "hub cache" or "ollama"
    path : Path
        What the loader opens.
    digest : str
        64 hexadecimal digits; the same for the same files and settings.
    settings : ModelSettings
    """

    name: str
    identity: str
    size: int
    modified: float
    source: Source
    path: Path
    digest: str
    settings: ModelSettings = field(default_factory=ModelSettings)


def list_models() -> list[ListedModel]:
    """All models, the newest first; what is damaged or cannot be read is left out."""
    listed = [*_own(), *_cached(), *_ollama()]
    return sorted(listed, key=lambda model: -model.modified)


def _own() -> list[ListedModel]:
    store = Store()
    listed = []
    for model in store.models():
        try:
            path = store.path_of(model)
        except PyinferError:
            continue
        manifest = model.manifest
        listed.append(
            ListedModel(
                str(model.name),
                manifest.digest[:12],
                manifest.size,
                model.modified,
                "store",
                path,
                manifest.digest,
                manifest.settings,
            )
        )
    return listed


def _cached() -> list[ListedModel]:
    listed = []
    for model in cached_models():
        try:
            sizes = [path.stat().st_size for path in model.files]
            modified = max(path.stat().st_mtime for path in model.files)
        except OSError:
            continue
        name, identity = str(model.reference), model.commit[:12]
        listed.append(
            ListedModel(name, identity, sum(sizes), modified, "hub cache", model.path, model.digest)
        )
    return listed


def _ollama() -> list[ListedModel]:
    listed = []
    for model in ollama_models():
        try:
            model.check_runs()
            settings = model.settings()
        except PyinferError:
            continue
        listed.append(
            ListedModel(
                str(model.name),
                model.identity[:12],
                model.size,
                model.modified,
                "ollama",
                model.model.path,
                model.identity,
                settings,
            )
        )
    return listed
