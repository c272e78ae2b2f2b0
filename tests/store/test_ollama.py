"""An Ollama store, laid out as Ollama does."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pyinfer.errors import ModelFormatError, ModelUnsupportedError
from pyinfer.store.names import parse_name
from pyinfer.store.ollama import find_ollama, ollama_models

from .stores import add_ollama

TEXTS = {"template": "{{ .Prompt }}", "license": "MIT", "system": "Be brief."}


def test_a_model(tmp_path: Path) -> None:
    manifest = add_ollama(tmp_path, b"gguf", params={"temperature": 0.6}, texts=TEXTS)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    model = find_ollama(parse_name("deepseek-R1:1.5B"), [tmp_path])
    assert model is not None
    assert str(model.name) == "deepseek-r1:1.5b"
    assert model.model.path.read_bytes() == b"gguf"
    assert model.parameters() == {"temperature": 0.6}
    assert (model.text("license"), model.text("system")) == ("MIT", "Be brief.")
    assert model.identity == hashlib.sha256(manifest.read_bytes()).hexdigest()
    model.check_runs()
    assert find_ollama(parse_name("deepseek-r1"), [tmp_path]) is None
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_names(tmp_path: Path) -> None:
    add_ollama(tmp_path, b"1", "registry.ollama.ai/library/a/latest")
    add_ollama(tmp_path, b"2", "registry.ollama.ai/me/b/x")
    add_ollama(tmp_path, b"3", "hf.co/Org/Repo-GGUF/Q4_K_M")
    add_ollama(tmp_path, b"4", "registry.ollama.ai/library/.../latest")
    names = sorted(str(model.name) for model in ollama_models([tmp_path]))
    assert names == ["a:latest", "hf.co/Org/Repo-GGUF:Q4_K_M", "me/b:x"]
    assert find_ollama(parse_name("a"), [tmp_path]) is not None
    assert find_ollama(parse_name("hf:org/repo-gguf:q4_k_m"), [tmp_path]) is not None


def test_no_store(tmp_path: Path) -> None:
    assert ollama_models([tmp_path / "none"]) == []


def test_damaged(tmp_path: Path) -> None:
    manifest = add_ollama(tmp_path, b"gguf")
    name = parse_name("deepseek-r1:1.5b")
    sound = json.loads(manifest.read_bytes())
    blob = tmp_path / "blobs" / sound["layers"][0]["digest"].replace(":", "-")
    for layers in (
        [],
        None,
        [1],
        [{"mediaType": "x"}],
        [{**sound["layers"][0], "digest": "sha256:../../../etc/passwd"}],
        [{**sound["layers"][0], "size": -1}],
        [{**sound["layers"][0], "size": 10**30}],
        [{**sound["layers"][0], "size": "4"}],
    ):
        manifest.write_text(json.dumps({**sound, "layers": layers}))
        with pytest.raises(ModelFormatError):
            find_ollama(name, [tmp_path])
        assert ollama_models([tmp_path]) == []
    manifest.write_text(json.dumps({**sound, "layers": []}) * 2)
    with pytest.raises(ModelFormatError):
        find_ollama(name, [tmp_path])
    manifest.write_text(json.dumps(sound))
    blob.write_bytes(b"shorter"[:3])
    with pytest.raises(ModelFormatError, match="3 bytes, expected 4"):
        find_ollama(name, [tmp_path])
    blob.unlink()
    with pytest.raises(ModelFormatError, match="missing"):
        find_ollama(name, [tmp_path])


def test_layers_that_would_change_answers(tmp_path: Path) -> None:
    add_ollama(tmp_path, b"gguf", texts={"adapter": "lora"})
    model = find_ollama(parse_name("deepseek-r1:1.5b"), [tmp_path])
    assert model is not None
    with pytest.raises(ModelUnsupportedError, match="LoRA"):
        model.check_runs()
    manifest = add_ollama(tmp_path, b"gguf", "registry.ollama.ai/library/t/latest")
    value = json.loads(manifest.read_bytes())
    value["layers"] *= 2
    manifest.write_text(json.dumps(value))
    with pytest.raises(ModelUnsupportedError, match="2 model layers"):
        find_ollama(parse_name("t"), [tmp_path])
