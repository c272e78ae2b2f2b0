"""What people's folders and files hold: which of it is the model, and what it is instead."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pyinfer.checkpoint.checkpoint import open_checkpoint
from pyinfer.checkpoint.model_files import INDEX, SINGLE, model_files
from pyinfer.errors import (
    ModelFormatError,
    ModelNotFoundError,
    ModelUnsupportedError,
    PyinferError,
)

from ..checkpoints import random_config, write_folder, write_gguf
from .gguf_bytes import build

CONFIG = random_config(layers=2)


def shard(index: int, count: int, stem: str = "model") -> str:
    return f"{stem}-{index:05}-of-{count:05}.safetensors"


def opens(path: Path) -> tuple[str, ...]:
    """Notes of the model that is found at ``path``."""
    with open_checkpoint(path) as checkpoint:
        assert checkpoint.tensors
        return checkpoint.notes


def refused(path: Path, kind: type[PyinferError], match: str) -> None:
    with pytest.raises(kind, match=match):
        open_checkpoint(path)


def test_one_numbered_file(tmp_path: Path) -> None:
    write_folder(tmp_path, CONFIG)
    (tmp_path / SINGLE).rename(tmp_path / shard(1, 1))
    (note,) = opens(tmp_path)
    assert INDEX in note
    assert shard(1, 1) in note


def test_numbered_files_without_an_index(tmp_path: Path) -> None:
    write_folder(tmp_path, CONFIG, shards=3)
    (tmp_path / INDEX).unlink()
    opens(tmp_path)
    assert list(model_files(tmp_path).weights) == [shard(i, 3) for i in (1, 2, 3)]
    (tmp_path / shard(2, 3)).unlink()
    refused(tmp_path, ModelFormatError, f"^{shard(2, 3)}: missing, but of 3 files by their names")
    (tmp_path / shard(1, 3)).unlink()
    refused(tmp_path, ModelFormatError, f"2 of 3 files are missing: {shard(1, 3)}, {shard(2, 3)}")


def test_an_index_that_names_what_is_not_there(tmp_path: Path) -> None:
    write_folder(tmp_path, CONFIG, shards=3)
    (tmp_path / shard(3, 3)).unlink()
    refused(tmp_path, ModelFormatError, f"{shard(3, 3)}: missing, but {INDEX} names it")
    for index in (1, 2):
        (tmp_path / shard(index, 3)).rename(tmp_path / shard(index, 3, "other"))
    refused(tmp_path, ModelFormatError, "3 of 3 files are missing: model-00001")


def test_a_single_file_beside_an_index(tmp_path: Path) -> None:
    write_folder(tmp_path, CONFIG, shards=2)
    write_folder(tmp_path / "other", CONFIG)
    shutil.copy(tmp_path / "other" / SINGLE, tmp_path / SINGLE)
    (note,) = opens(tmp_path)
    assert note == f"{SINGLE} is used, not the 2 files that {INDEX} names"
    assert list(model_files(tmp_path).weights) == [SINGLE]
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"model.norm.weight": SINGLE}}))
    for index in (1, 2):
        (tmp_path / shard(index, 2)).unlink()
    assert opens(tmp_path) == ()


@pytest.mark.parametrize("name", ["model.fp16.safetensors", "pytorch_model.safetensors"])
def test_one_file_of_another_name(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path, CONFIG)
    (tmp_path / SINGLE).rename(tmp_path / name)
    (note,) = opens(tmp_path)
    assert note.startswith(f"{name} is used")
    shutil.copy(tmp_path / name, tmp_path / "model.bf16.safetensors")
    refused(tmp_path, ModelFormatError, "several others: model.bf16.safetensors, ")
    shutil.copy(tmp_path / name, tmp_path / SINGLE)
    assert name in opens(tmp_path)[0]


def test_files_of_other_programs_beside_the_model(tmp_path: Path) -> None:
    write_folder(tmp_path, CONFIG)
    (tmp_path / "consolidated.safetensors").write_bytes(b"")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    assert opens(tmp_path) == ()
    (tmp_path / SINGLE).unlink()
    (tmp_path / "pytorch_model.bin").unlink()
    refused(tmp_path, ModelUnsupportedError, "consolidated.safetensors names its tensors")


@pytest.mark.parametrize(
    ("names", "kind", "match"),
    [
        (["config.json", "pytorch_model.bin"], ModelUnsupportedError, "pickle file"),
        (["config.json", "model.onnx"], ModelUnsupportedError, "model.onnx is of another format"),
        (["config.json", "tf_model.h5"], ModelUnsupportedError, "another format"),
        (["model.safetensors"], ModelNotFoundError, "weights, but no config.json"),
        (["model_index.json"], ModelNotFoundError, "a diffusers pipeline"),
        (["a.gguf", "b.gguf"], ModelNotFoundError, "give one of the files: a.gguf, b.gguf"),
        (["mmproj-f16.gguf"], ModelNotFoundError, "holds no checkpoint"),
    ],
)
def test_folders_of_something_else(
    tmp_path: Path, names: list[str], kind: type[PyinferError], match: str
) -> None:
    for name in names:
        (tmp_path / name).write_text(json.dumps(CONFIG) if name == "config.json" else "")
    refused(tmp_path, kind, match)


@pytest.mark.parametrize("config", [True, False])
def test_an_adapter_is_named(tmp_path: Path, config: bool) -> None:
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "org/base"}')
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    if config:
        (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    match = r"an adapter \(LoRA\) of 'org/base', not a model"
    refused(tmp_path, ModelUnsupportedError, match)
    refused(tmp_path / "adapter_model.safetensors", ModelUnsupportedError, match)


@pytest.mark.parametrize("name", ["sha256-00", "model.bin", "model", "weights.pt", "x.safetensors"])
def test_contents_decide(tmp_path: Path, name: str) -> None:
    write_gguf(tmp_path / "m.gguf", CONFIG)
    (tmp_path / "m.gguf").rename(tmp_path / name)
    opens(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path / name)
    opens(tmp_path / "link")


def test_a_folder_with_one_gguf_model(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", CONFIG)
    assert opens(tmp_path) == ()
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "mmproj-m.gguf").write_bytes(b"")
    assert opens(tmp_path) == (f"{tmp_path.name}: m.gguf is used",)
    (tmp_path / "link").symlink_to(tmp_path)
    opens(tmp_path / "link")


@pytest.mark.parametrize(
    ("pairs", "match"),
    [
        ([("general.type", "adapter")], r"an adapter \(LoRA\), not a model"),
        ([("general.architecture", "clip")], "the projector of a vision model"),
        ([("general.type", "mmproj")], "the projector of a vision model"),
        ([("general.type", "imatrix")], "an importance matrix"),
    ],
)
def test_gguf_files_of_something_else(
    tmp_path: Path, pairs: list[tuple[str, str]], match: str
) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(build([(key, 8, value) for key, value in pairs], []).data)
    refused(path, ModelUnsupportedError, match)


def test_a_vocabulary_alone(tmp_path: Path) -> None:
    import gguf

    writer = gguf.GGUFWriter(tmp_path / "v.gguf", "qwen2")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    refused(tmp_path / "v.gguf", ModelUnsupportedError, "only a vocabulary, without weights")


def test_tied_models_with_a_head(tmp_path: Path) -> None:
    """As transformers 5: another head is used, the same one is not, a head alone is both."""
    import numpy as np

    untied = random_config(layers=1)
    tied = json.dumps(untied | {"tie_word_embeddings": True})
    weights = write_folder(tmp_path / "differs", untied)
    (tmp_path / "differs" / "config.json").write_text(tied)
    with open_checkpoint(tmp_path / "differs") as checkpoint:
        assert not checkpoint.config.tie_embeddings
        assert "lm_head.weight" in checkpoint.tensors
        assert "lm_head.weight is used" in checkpoint.notes[0]
    same = weights | {"lm_head.weight": np.array(weights["model.embed_tokens.weight"])}
    write_folder(tmp_path / "same", untied, weights=same)
    (tmp_path / "same" / "config.json").write_text(tied)
    with open_checkpoint(tmp_path / "same") as checkpoint:
        assert checkpoint.config.tie_embeddings
        assert "lm_head.weight" not in checkpoint.tensors
        assert checkpoint.notes == ()
    alone = {k: v for k, v in same.items() if k != "model.embed_tokens.weight"}
    write_folder(tmp_path / "alone", untied, weights=alone)
    refused(tmp_path / "alone", ModelFormatError, "embed_tokens.weight.*is missing")
    (tmp_path / "alone" / "config.json").write_text(tied)
    with open_checkpoint(tmp_path / "alone") as checkpoint:
        assert checkpoint.config.tie_embeddings
        assert "model.embed_tokens.weight" in checkpoint.tensors
        assert len(checkpoint.notes) == 1
