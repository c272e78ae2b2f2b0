"""The models on this machine, for commands and dialects alike: list, show, copy, delete.

What brings models here is :func:`pyinfer.store.pull.pull` and
:func:`pyinfer.convert.create.create_model`. Everything here reads or writes files.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pyinfer.checkpoint.checkpoint import FolderTokenizer, open_checkpoint
from pyinfer.checkpoint.formats import TensorInfo
from pyinfer.checkpoint.gguf_shards import open_gguf
from pyinfer.convert.create import create_model
from pyinfer.convert.gguf_writer import Pair, metadata_pairs
from pyinfer.convert.model_pairs import architecture_pairs, general_pairs
from pyinfer.convert.to_gguf import stored_float
from pyinfer.convert.vocabulary_pairs import vocabulary_pairs
from pyinfer.errors import ModelNotFoundError, PyinferError, StoreIOError
from pyinfer.store.details import ModelDetails, read_details
from pyinfer.store.listing import ListedModel, list_models
from pyinfer.store.local import Store, StoredModel
from pyinfer.store.model_settings import ModelSettings
from pyinfer.store.names import ModelName, parse_name
from pyinfer.store.resolve import ResolvedModel
from pyinfer.text.folder_tokenizer import read_chat_template
from pyinfer.text.tags import CLOSE_TAG


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model on this machine, from its headers.

    Attributes
    ----------
    name : str
    settings : ModelSettings
    details : ModelDetails
    template : str
        Of the created model, else the one beside the weights.
    size : int
        Bytes of its files.
    modified : float
        Seconds since 1970.
    digest : str
        64 hexadecimal digits.
    """

    name: str
    settings: ModelSettings
    details: ModelDetails
    template: str
    size: int
    modified: float
    digest: str

    @property
    def capabilities(self) -> list[str]:
        """What the model can do."""
        able = ["completion", "embedding"]
        if self.template:
            able.append("tools")
        if CLOSE_TAG in self.template:
            able.append("thinking")
        return able

    @property
    def licenses(self) -> list[str]:
        """Texts of the model's file and of the weights."""
        return [text for text in (*self.settings.licenses, self.details.license) if text]


def names(known: Iterable[ResolvedModel] = ()) -> list[tuple[str, float]]:
    """Name and age (seconds since 1970) of every model: ``known`` ones, then those of the stores.

    Parameters
    ----------
    known : iterable of ResolvedModel
        What a program serves whatever the stores hold.
    """
    found = {model.name: modified(model.path) for model in known}
    for entry in list_models():
        found.setdefault(entry.name, entry.modified)
    return list(found.items())


def list_facts(known: Iterable[ResolvedModel] = ()) -> list[ModelFacts]:
    """Facts of every model, the newest first; what is damaged or was removed is left out."""
    models: list[ResolvedModel | ListedModel] = [*known, *list_models()]
    found = []
    for model in models:
        with contextlib.suppress(PyinferError):
            found.append(read_facts(model))
    return sorted(found, key=lambda facts: -facts.modified)


def read_facts(model: ResolvedModel | ListedModel) -> ModelFacts:
    """Read the headers of a model, once per state of its files.

    Raises
    ------
    PyinferError
        It is damaged, not supported or not readable.
    """
    path, digest = model.path, model.digest
    try:
        files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file())
        states = [file.stat() for file in files]
    except OSError as error:
        raise StoreIOError(f"{model.name} cannot be read: {error.strerror}") from None
    size, written = sum(s.st_size for s in states), max((s.st_mtime for s in states), default=0.0)
    details, template = _read(path, size, written)
    if not digest:
        digest = hashlib.sha256(f"{path.name} {size} {written}".encode()).hexdigest()
    template = model.settings.template or template
    return ModelFacts(model.name, model.settings, details, template, size, written, digest)


def read_metadata(
    model: ResolvedModel, n_parameters: int
) -> tuple[list[Pair], dict[str, TensorInfo]]:
    """Metadata of a GGUF file (of a folder, what its GGUF file would have), and all tensors.

    Raises
    ------
    PyinferError
        The model is damaged or not supported.
    """
    with open_checkpoint(model.path) as checkpoint:
        path, config = checkpoint.path, checkpoint.config
        if checkpoint.kind == "gguf":
            parts = open_gguf(path)
            for part in parts:
                part.close()
            return metadata_pairs(parts[0]), dict(checkpoint.tensors)
        pairs = general_pairs(path, config, config.name, n_parameters, stored_float(checkpoint))
        pairs += architecture_pairs(path, config)
        if isinstance(checkpoint.tokenizer_source(), FolderTokenizer):
            pairs += vocabulary_pairs(path, config.vocab_size)
        return pairs, dict(checkpoint.tensors)


def copy_model(model: ResolvedModel, target: ModelName) -> StoredModel:
    """Give a model a second name; one that is not in the own store is copied into it.

    Raises
    ------
    PyinferError
        It cannot be read, or the store cannot be written.
    """
    if model.source == "store":
        return Store().copy(parse_name(model.name), target)
    with model.reading():
        return create_model(target, model, ModelSettings())


def delete_model(name: str) -> int:
    """Remove a model of the own store; the bytes that became free.

    Raises
    ------
    ModelNotFoundError
        It is not in the own store.
    InvalidNameError, StoreBusyError, StoreIOError
        No name; the store cannot be changed.
    """
    stored = Store().find(parse_name(name))
    if stored is None:
        raise ModelNotFoundError(
            f"{name} is not in the own store", hint="models of other stores are not changed"
        )
    return Store().remove(stored.name)


def modified(path: Path) -> float:
    """When a file or folder was written, in seconds since 1970; 0 if it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


@lru_cache(maxsize=256)
def _read(path: Path, size: int, modified: float) -> tuple[ModelDetails, str]:
    details = read_details(path)
    template = details.template
    if details.kind == "folder":
        with contextlib.suppress(PyinferError), open_checkpoint(path) as checkpoint:
            template = read_chat_template(checkpoint.path) or ""
    return details, template
