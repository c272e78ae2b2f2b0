"""From what a user calls a model to the file or folder that is loaded, decided here alone."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pyinfer.errors import InvalidNameError, ModelNotFoundError
from pyinfer.store.hub_cache import cached_models, find_cached
from pyinfer.store.local import Store, StoredModel
from pyinfer.store.model_settings import ModelSettings
from pyinfer.store.names import (
    LOCAL_HOST,
    ModelName,
    is_hub_reference,
    parse_hub_reference,
    parse_name,
)
from pyinfer.store.ollama import find_ollama, ollama_models
from pyinfer.store.places import DEMO_FOLDER

#: Names of the embedded model, unless a model of the user has them.
EMBEDDED_NAMES = ("demo", "demo:latest", "pyinfer-demo", "pyinfer-demo:latest")

Source = Literal["path", "store", "hub cache", "ollama"]


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that is on this machine.

    Attributes
    ----------
    name : str
        For people: the last part of a path, or the full name.
    path : Path
        What the loader opens.
    source : "path", "store", "hub cache" or "ollama"
    settings : ModelSettings
        What came with the model: of a created one, or of an Ollama store.
    digest : str
        64 hexadecimal digits that are the same for the same files; empty for a path.
    """

    name: str
    path: Path
    source: Source
    settings: ModelSettings = field(default_factory=ModelSettings)
    digest: str = ""
    _stored: StoredModel | None = field(default=None, repr=False)

    def reading(self) -> AbstractContextManager[None]:
        """Keep the files from being cleaned up by another process while the block runs."""
        if self._stored is None:
            return contextlib.nullcontext()
        return Store().reading(self._stored.manifest)


def resolve_model(model: str | Path | ResolvedModel) -> ResolvedModel:
    """Find a model on this machine; nothing is downloaded.

    A path that exists wins over a name. Names are looked up in the own store, the cache of
    ``huggingface_hub`` and the Ollama store, in this order; ``demo`` is the embedded model.

    Parameters
    ----------
    model : str or Path
        A folder or a GGUF file; ``hf:org/repo[:file-or-quant]``; ``org/repo``; ``name[:tag]``.

    Raises
    ------
    ModelNotFoundError
        Nothing of that name; the hint names what is similar or how to get it.
    InvalidNameError
        A reference to the hub with parts that are not allowed.
    ModelFormatError
        The store's entry is damaged.
    """
    if isinstance(model, ResolvedModel):
        return model
    if isinstance(model, Path):
        return _from_path(model)
    if is_hub_reference(model):
        parse_hub_reference(model)  # its message, not that of a name
        found = _by_name(model)
        if found is None:
            raise ModelNotFoundError(
                f"{model} is not on this machine", hint=f"get it with: pyinfer pull {model}"
            )
        return found
    if _is_model_path(model):
        return _from_path(Path(model).expanduser())
    try:
        found = _by_name(model)
    except InvalidNameError:
        found = None
    if found is not None:
        return found
    path = Path(model)
    if path.exists():
        return _from_path(path)
    if model.lower() in EMBEDDED_NAMES:
        return _from_path(DEMO_FOLDER)
    raise ModelNotFoundError(
        f"{model!r} is neither a file or folder nor the name of a model here",
        hint=_suggestion(model),
    )


def resolve_name(name: str) -> ResolvedModel:
    """As :func:`resolve_model`, but never a path: for names that strangers send.

    Raises
    ------
    ModelNotFoundError, InvalidNameError, ModelFormatError
        Nothing of that name; no name at all; the store's entry is damaged.
    """
    found = _by_name(name)
    if found is None:
        raise ModelNotFoundError(f"model {name!r} not found")
    return found


def _from_path(path: Path) -> ResolvedModel:
    return ResolvedModel(path.name, path, "path")


def _is_model_path(text: str) -> bool:
    """Whether ``text`` can only mean a path. A folder without a model does not hide a name."""
    if text.startswith(("/", "./", "../", "~")) or text in ("", ".", "..") or "\0" in text:
        return True
    if text.endswith((".gguf", ".safetensors", "/")):
        return True
    try:
        path = Path(text)
        return path.is_file() or (path / "config.json").is_file()
    except (OSError, ValueError):
        return True


def _by_name(text: str) -> ResolvedModel | None:
    name = parse_name(text)
    for candidate in _readings(name):
        store = Store()
        found = store.locate(candidate)
        if found is not None:
            stored, path = found
            manifest = stored.manifest
            return ResolvedModel(
                str(stored.name),
                path,
                "store",
                manifest.settings,
                manifest.digest,
                stored,
            )
    cached = _cached(text, name)
    if cached is not None:
        return cached
    for candidate in _readings(name):
        model = find_ollama(candidate)
        if model is not None:
            model.check_runs()
            return ResolvedModel(
                str(model.name),
                model.model.path,
                "ollama",
                model.settings(),
                model.identity,
            )
    return None


def _readings(name: ModelName) -> Iterator[ModelName]:
    """``org/repo`` may be a local name or, second, a repository of the hub."""
    yield name
    if name.host == LOCAL_HOST and "/" in str(name):
        yield ModelName("hf.co", name.namespace, name.name, name.tag)


def _cached(text: str, name: ModelName) -> ResolvedModel | None:
    if not is_hub_reference(text) and (name.host != LOCAL_HOST or "/" not in str(name)):
        return None
    reference = parse_hub_reference(text if is_hub_reference(text) else f"hf:{text}")
    found = find_cached(reference)
    if found is None:
        return None
    return ResolvedModel(str(reference), found.path, "hub cache", digest=found.digest)


def known_names() -> list[str]:
    """Every name that :func:`resolve_model` finds, for suggestions and shell completion."""
    names = [str(name) for name, _ in Store().entries()]
    names += [str(model.reference) for model in cached_models()]
    names += [str(model.name) for model in ollama_models()]
    return list(dict.fromkeys(names))


def _suggestion(text: str) -> str:
    names = known_names()
    short = {name.removesuffix(":latest"): name for name in names}
    close = difflib.get_close_matches(text, [*names, *short], n=3)
    if close:
        return f"did you mean {', '.join(dict.fromkeys(close))}?"
    if text.count("/") == 1:
        return f"get it from the hub with: pyinfer pull hf:{text}"
    return "pyinfer list shows the models that are here"
