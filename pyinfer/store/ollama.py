"""An Ollama store, read in place and never changed.

::

    manifests/<host>/<namespace>/<model>/<tag>     JSON in the form of a container image
    blobs/sha256-<hex>                             its layers

Of the layers, ``model`` is a GGUF file, ``params`` a JSON object of options, ``system`` and
``license`` are text, ``messages`` a JSON list. ``template`` is in a language of its own: the Jinja
template inside the GGUF file says the same and is used instead. Media types: ``ollama/ollama``,
server/images.go.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyinfer.checkpoint.json_file import parse_json_object
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.errors import (
    InvalidNameError,
    ModelFormatError,
    ModelNotFoundError,
    ModelUnsupportedError,
    PyinferError,
)
from pyinfer.store.folders import paths_at
from pyinfer.store.go_template import is_jinja
from pyinfer.store.manifest import MAX_FILE_BYTES, MAX_MANIFEST_BYTES, check_digest
from pyinfer.store.model_settings import ModelSettings, parse_messages
from pyinfer.store.names import DEFAULT_TAG, LOCAL_HOST, LOCAL_NAMESPACE, ModelName, parse_name
from pyinfer.store.places import ollama_roots

REGISTRY = "registry.ollama.ai"
MAX_LAYERS = 1_024
MAX_TEXT_BYTES = 1 << 20
MAX_ENTRIES = 65_536
_MEDIA = "application/vnd.ollama.image."
_MODEL = _MEDIA + "model"
_UNSUPPORTED = {
    _MEDIA + "adapter": "an adapter (LoRA)",
    _MEDIA + "projector": "a projector for images",
    _MEDIA + "tensor": "tensors outside a GGUF file",
}


@dataclass(frozen=True, slots=True)
class OllamaLayer:
    """One layer whose blob is there with the right size."""

    media_type: str
    digest: str
    size: int
    path: Path


@dataclass(frozen=True, slots=True)
class OllamaModel:
    """A model of an Ollama store.

    Attributes
    ----------
    name : ModelName
        Models of Ollama's own registry carry no host, as Ollama shows them.
    model : OllamaLayer
        The GGUF file.
    layers : tuple of OllamaLayer
        All layers in order.
    size : int
        Bytes of all layers.
    modified : float
        Seconds since 1970.
    identity : str
        SHA-256 of the manifest, whose first digits Ollama shows as the id.
    """

    name: ModelName
    model: OllamaLayer
    layers: tuple[OllamaLayer, ...]
    size: int
    modified: float
    identity: str
    _unsupported: tuple[str, ...] = field(default=(), repr=False)

    def check_runs(self) -> None:
        """Raise ModelUnsupportedError for layers whose lack would change answers."""
        if self._unsupported:
            raise ModelUnsupportedError(
                f"{self.name} of the Ollama store needs {' and '.join(self._unsupported)}, "
                "which does not run here"
            )

    def text(self, kind: str) -> str:
        """Text of the layers of one kind: ``system``, ``license`` or ``template``.

        Raises
        ------
        ModelFormatError
            Too long or not UTF-8.
        """
        parts = []
        for layer in self.layers:
            if layer.media_type == _MEDIA + kind:
                data = _read(layer.path, MAX_TEXT_BYTES, f"{kind} of {self.name}")
                try:
                    parts.append(data.decode("utf-8"))
                except UnicodeDecodeError:
                    raise ModelFormatError(f"{kind} of {self.name} is not UTF-8") from None
        return "\n".join(parts)

    def parameters(self) -> Mapping[str, Any]:
        """Options of the model file, such as ``temperature`` and ``stop``."""
        merged: dict[str, Any] = {}
        for layer in self.layers:
            if layer.media_type == _MEDIA + "params":
                where = f"params of {self.name}"
                merged |= parse_json_object(_read(layer.path, MAX_TEXT_BYTES, where), where)
        return merged

    def settings(self) -> ModelSettings:
        """What the layers say about the use of the model; a license that is no text is left out.

        Raises
        ------
        ModelFormatError
            Another layer cannot be read.
        """
        licenses = ""
        with contextlib.suppress(PyinferError):
            licenses = self.text("license").strip()
        template = self.text("template")
        return ModelSettings(
            template=template if is_jinja(template) else "",
            system=self.text("system").strip(),
            parameters=self.parameters(),
            messages=self._messages(),
            licenses=(licenses,) if licenses else (),
        )

    def _messages(self) -> tuple[Mapping[str, str], ...]:
        text, where = self.text("messages"), f"messages of {self.name}"
        if not text:
            return ()
        return parse_messages(parse_json_object(f'{{"m": {text}}}'.encode(), where)["m"], where)


def find_ollama(name: ModelName, roots: list[Path] | None = None) -> OllamaModel | None:
    """The model of that name, if an Ollama store has it; the tag defaults to ``latest``.

    Raises
    ------
    ModelFormatError
        Its manifest is damaged, or a layer is missing.
    """
    tag = (name.tag or DEFAULT_TAG).lower()
    for root in ollama_roots() if roots is None else roots:
        for found, path in _entries(root):
            if found.key == name.key and found.tag.lower() == tag:
                return _read_model(root, found, path)
    return None


def ollama_models(roots: list[Path] | None = None) -> list[OllamaModel]:
    """All sound models of the Ollama stores, the newest first."""
    models = []
    for root in ollama_roots() if roots is None else roots:
        for name, path in _entries(root):
            with contextlib.suppress(PyinferError):
                models.append(_read_model(root, name, path))
    return sorted(models, key=lambda model: -model.modified)


def _entries(root: Path) -> Iterator[tuple[ModelName, Path]]:
    manifests = root / "manifests"
    for path in itertools.islice(paths_at(manifests, 4), MAX_ENTRIES):
        host, namespace, model, tag = path.relative_to(manifests).parts
        if host == REGISTRY:
            host = LOCAL_HOST
            namespace = LOCAL_NAMESPACE if namespace == "library" else namespace
        with contextlib.suppress(InvalidNameError):
            yield parse_name(f"{host}/{namespace}/{model}:{tag}"), path


def _read_model(root: Path, name: ModelName, path: Path) -> OllamaModel:
    where = f"Ollama manifest of {name}"
    data = _read(path, MAX_MANIFEST_BYTES, where)
    value = parse_json_object(data, where)
    entries = value.get("layers")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_LAYERS:
        raise ModelFormatError(f"{where}: no layers")
    layers = tuple(_layer(root, entry, where) for entry in entries)
    models = [layer for layer in layers if layer.media_type == _MODEL]
    unsupported = [_UNSUPPORTED[x.media_type] for x in layers if x.media_type in _UNSUPPORTED]
    if len(models) != 1:
        raise ModelUnsupportedError(f"{where}: {len(models)} model layers, expected one GGUF file")
    try:
        modified = path.stat().st_mtime
    except OSError:
        raise ModelNotFoundError(f"{name} was removed from the Ollama store") from None
    return OllamaModel(
        name,
        models[0],
        layers,
        sum(layer.size for layer in layers),
        modified,
        hashlib.sha256(data).hexdigest(),
        tuple(dict.fromkeys(unsupported)),
    )


def _layer(root: Path, entry: Any, where: str) -> OllamaLayer:
    if not isinstance(entry, dict):
        raise ModelFormatError(f"{where}: a layer is no object")
    media, size = entry.get("mediaType"), entry.get("size")
    digest = check_digest(entry.get("digest"), where)
    if not isinstance(media, str) or isinstance(size, bool) or not isinstance(size, int):
        raise ModelFormatError(f"{where}: a layer has no media type or size")
    if not 0 <= size <= MAX_FILE_BYTES:
        raise ModelFormatError(f"{where}: the layer size {size} is not allowed")
    path = root / "blobs" / digest.replace(":", "-")
    try:
        status = path.stat()
    except OSError:
        raise ModelFormatError(f"{where}: the blob {path.name[:19]} is missing") from None
    if not stat.S_ISREG(status.st_mode) or status.st_size != size:
        raise ModelFormatError(
            f"{where}: the blob {path.name[:19]} has {status.st_size} bytes, expected {size}",
            hint="let Ollama pull the model again",
        )
    return OllamaLayer(media, digest, size, path)


def _read(path: Path, limit: int, where: str) -> bytes:
    file = SourceFile(path)
    try:
        if file.size > limit:
            raise ModelFormatError(f"{where}: {file.size} bytes, expected at most {limit}")
        return bytes(file.read(0, file.size))
    finally:
        file.close()
