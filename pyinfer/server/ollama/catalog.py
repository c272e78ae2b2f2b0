"""What the listing routes say of a model; headers are read once per state of its files."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pyinfer.checkpoint.checkpoint import open_checkpoint
from pyinfer.convert.model_pairs import size_label
from pyinfer.errors import PyinferError
from pyinfer.server.ollama.generation import timestamp
from pyinfer.store.details import ModelDetails, read_details
from pyinfer.store.model_settings import ModelSettings
from pyinfer.store.names import DEFAULT_TAG
from pyinfer.text.folder_tokenizer import read_chat_template
from pyinfer.text.tags import CLOSE_TAG


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model on this machine.

    Attributes
    ----------
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

    details: ModelDetails
    template: str
    size: int
    modified: float
    digest: str

    def entry(self, name: str, settings: ModelSettings) -> dict[str, Any]:
        """An element of ``/api/tags``."""
        return {
            "name": name,
            "model": name,
            "modified_at": timestamp(self.modified),
            "size": self.size,
            "digest": self.digest,
            "details": self.summary(settings),
            "capabilities": self.capabilities(),
        }

    def summary(self, settings: ModelSettings) -> dict[str, Any]:
        """The field ``details``."""
        config = self.details.config
        return {
            "parent_model": settings.parent,
            "format": "gguf" if self.details.kind == "gguf" else "safetensors",
            "family": config.architecture,
            "families": [config.architecture],
            "parameter_size": size_label(self.details.parameters),
            "quantization_level": self.details.main_format.upper(),
        }

    def capabilities(self) -> list[str]:
        """What the model can do."""
        able = ["completion", "embedding"]
        if self.template:
            able.append("tools")
        if CLOSE_TAG in self.template:
            able.append("thinking")
        return able


def facts_of(path: Path, settings: ModelSettings, digest: str) -> ModelFacts:
    """Read the headers of a model.

    Raises
    ------
    PyinferError
        It is damaged or not supported.
    """
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file())
    states = [file.stat() for file in files]
    size, modified = sum(s.st_size for s in states), max((s.st_mtime for s in states), default=0.0)
    details, template = _read(path, size, modified)
    if not digest:
        digest = hashlib.sha256(f"{path.name} {size} {modified}".encode()).hexdigest()
    return ModelFacts(details, settings.template or template, size, modified, digest)


def full_name(name: str) -> str:
    """The name with a tag, as Ollama shows it."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:{DEFAULT_TAG}"


@lru_cache(maxsize=256)
def _read(path: Path, size: int, modified: float) -> tuple[ModelDetails, str]:
    details = read_details(path)
    template = details.template
    if details.kind == "folder":
        with contextlib.suppress(PyinferError), open_checkpoint(path) as checkpoint:
            template = read_chat_template(checkpoint.path) or ""
    return details, template
