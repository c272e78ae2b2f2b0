"""The cache of huggingface_hub, laid out by hand."""

from __future__ import annotations

import json
from pathlib import Path

from pyinfer.store.hub_cache import cached_models, find_cached
from pyinfer.store.names import parse_hub_reference

from .stores import add_cached

FOLDER = {"config.json": b"{}", "model.safetensors": b"w", "tokenizer.json": b"{}"}


def path_of(text: str, root: Path) -> Path | None:
    found = find_cached(parse_hub_reference(text), root)
    return None if found is None else found.path


def test_folder_and_gguf(tmp_path: Path) -> None:
    folder = add_cached(tmp_path, "org/base", FOLDER)
    files = add_cached(tmp_path, "org/ggufs", {"m-Q8_0.gguf": b"8", "sub/m-Q4_0.gguf": b"4"})
    assert path_of("hf:org/base", tmp_path) == folder
    assert path_of("hf:org/ggufs:q8_0", tmp_path) == files / "m-Q8_0.gguf"
    assert path_of("hf:org/ggufs:sub/m-Q4_0.gguf", tmp_path) == files / "sub/m-Q4_0.gguf"
    assert path_of("hf:org/ggufs:Q2_K", tmp_path) is None
    assert path_of("hf:org/none", tmp_path) is None
    listed = {str(model.reference) for model in cached_models(tmp_path)}
    assert listed == {"hf:org/base", "hf:org/ggufs:Q8_0", "hf:org/ggufs:Q4_0"}


def test_revisions(tmp_path: Path) -> None:
    folder = add_cached(tmp_path, "org/base", FOLDER, revision="v2")
    assert path_of("hf:org/base", tmp_path) is None
    assert path_of("hf:org/base@v2", tmp_path) == folder
    assert path_of(f"hf:org/base@{folder.name}", tmp_path) == folder


def test_incomplete_models_are_not_there(tmp_path: Path) -> None:
    index = json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors",
                                       "b": "model-00002-of-00002.safetensors"}})  # fmt: skip
    files = {
        "config.json": b"{}",
        "model.safetensors.index.json": index.encode(),
        "model-00001-of-00002.safetensors": b"1",
    }
    add_cached(tmp_path, "org/shards", files)
    assert path_of("hf:org/shards", tmp_path) is None
    add_cached(tmp_path, "org/shards", {"model-00002-of-00002.safetensors": b"2"})
    assert path_of("hf:org/shards", tmp_path) is not None
    add_cached(tmp_path, "org/split", {"m-Q8_0-00001-of-00002.gguf": b"1"})
    assert path_of("hf:org/split:Q8_0", tmp_path) is None


def test_a_blob_that_is_gone(tmp_path: Path) -> None:
    folder = add_cached(tmp_path, "org/base", FOLDER)
    (folder / "model.safetensors").resolve().unlink()
    assert path_of("hf:org/base", tmp_path) is None


def test_damaged_caches_are_empty(tmp_path: Path) -> None:
    repo = tmp_path / "models--org--x"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("../../..")
    (tmp_path / "models--..--x").mkdir()
    assert path_of("hf:org/x", tmp_path) is None
    assert list(cached_models(tmp_path)) == []
    folder = add_cached(tmp_path, "org/y", {**FOLDER, "model.safetensors.index.json": b"[[["})
    assert path_of("hf:org/y", tmp_path) is None
    assert folder.is_dir()
