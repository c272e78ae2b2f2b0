"""Stores for tests: an own store, a Hugging Face cache and an Ollama store, made by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyinfer.store.local import Store
from pyinfer.store.manifest import Manifest, ModelKind, StoredFile
from pyinfer.store.model_settings import ModelSettings
from pyinfer.store.names import parse_name


def digest_of(data: bytes) -> str:
    """``sha256:`` and the hash."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def put_blob(store: Store, data: bytes) -> str:
    """Write a blob as a finished pull leaves it."""
    store.prepare()
    digest = digest_of(data)
    store.blob(digest).write_bytes(data)
    return digest


def add_model(
    store: Store,
    name: str,
    files: Mapping[str, bytes],
    kind: ModelKind = "gguf",
    settings: ModelSettings | None = None,
) -> Manifest:
    """Add a model of the given files."""
    stored = tuple(StoredFile(key, put_blob(store, data), len(data)) for key, data in files.items())
    manifest = Manifest(kind, stored, "test", settings=settings or ModelSettings())
    with store.adding():
        store.add(parse_name(name), manifest)
    return manifest


def add_cached(
    root: Path, repo_id: str, files: Mapping[str, bytes], revision: str = "main"
) -> Path:
    """Put files into a cache as ``huggingface_hub`` does; return the snapshot."""
    repo = root / ("models--" + repo_id.replace("/", "--"))
    commit = hashlib.sha1(repo_id.encode()).hexdigest()
    snapshot = repo / "snapshots" / commit
    for folder in (repo / "refs", repo / "blobs", snapshot):
        folder.mkdir(parents=True, exist_ok=True)
    (repo / "refs" / revision).write_text(commit)
    for name, data in files.items():
        blob = repo / "blobs" / hashlib.sha256(data).hexdigest()
        blob.write_bytes(data)
        link = snapshot / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path(*[".."] * (2 + name.count("/")), "blobs", blob.name))
    return snapshot


def add_ollama(
    root: Path,
    model: bytes,
    name: str = "registry.ollama.ai/library/deepseek-r1/1.5b",
    params: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> Path:
    """Lay a model out as Ollama does; return the manifest's path."""
    layers = []

    def layer(media: str, data: bytes) -> dict[str, Any]:
        digest = digest_of(data)
        blob = root / "blobs" / digest.replace(":", "-")
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        return {"mediaType": media, "digest": digest, "size": len(data)}

    config = layer("application/vnd.docker.container.image.v1+json", b'{"model_format":"gguf"}')
    layers.append(layer("application/vnd.ollama.image.model", model))
    for kind, text in (texts or {}).items():
        layers.append(layer(f"application/vnd.ollama.image.{kind}", text.encode()))
    if params is not None:
        layers.append(layer("application/vnd.ollama.image.params", json.dumps(params).encode()))
    manifest = root / "manifests" / name
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "config": config,
                "layers": layers,
            }
        )
    )
    return manifest
