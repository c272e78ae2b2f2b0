"""Qwen3: the norm of q and k gives the same bits everywhere; its files; what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from pyinfer._kernels.runtime import available_isas
from pyinfer.checkpoint.checkpoint import open_checkpoint
from pyinfer.convert.to_folder import gguf_to_folder
from pyinfer.convert.to_gguf import folder_to_gguf
from pyinfer.errors import ModelUnsupportedError
from pyinfer.model.model import Model
from pyinfer.model.registry import read_gguf_config, read_hf_config
from pyinfer.quant.plan import FileRules

from ..checkpoints import random_config, write_folder
from .steps import assert_same_bits, load, random_tokens, run_chunks, with_runtime

# A head size off the panels of 16 rows; one that the 8-bit cache takes.
CONFIGS = {
    "f16": random_config(arch="qwen3", hidden=72, heads=6, kv_heads=2, head_dim=20, vocab=700),
    "q8_0": random_config(arch="qwen3", hidden=96, heads=4, kv_heads=1, head_dim=32, vocab=700),
}


@pytest.fixture(scope="module", params=CONFIGS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model for each kind of cache."""
    path = tmp_path_factory.mktemp("qwen3")
    write_folder(path, CONFIGS[request.param], 1, "f32")
    return load(path, "q8_0", kv_type=request.param)


@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("threads", [1, 3])
def test_same_bits(model: Model, isa: str, threads: int) -> None:
    tokens = random_tokens(model, 600)  # more than a segment of 512: heads are split over workers
    expected = run_chunks(with_runtime(model, isa="scalar"), tokens, [600])
    assert all(row.finite for row in expected)
    twin = with_runtime(model, threads, isa)
    assert_same_bits(run_chunks(twin, tokens, [530, 60, 8, 1]), expected)


def test_the_weights_of_both_norms_count(tmp_path: Path) -> None:
    config = CONFIGS["f16"]
    weights = write_folder(tmp_path / "a", config, 1, "f32")
    tokens = np.arange(30, dtype=np.int32)
    found = []
    for changed in ("", "q_norm", "k_norm"):
        name = f"model.layers.1.self_attn.{changed}.weight"
        if changed:
            weights = {**weights, name: weights[name] * np.float32(1.5)}
        write_folder(tmp_path / f"b{changed}", config, dtype="f32", weights=weights)
        rows = run_chunks(with_runtime(load(tmp_path / f"b{changed}", "f32")), tokens, [30])
        found.append(np.stack([row.full for row in rows]))
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[1], found[2])


def test_config() -> None:
    data = random_config(arch="qwen3", hidden=64, heads=2)
    assert read_hf_config(data).head_dim == 128
    assert read_hf_config(data | {"head_dim": None}).head_dim == 128
    assert read_hf_config(data | {"head_dim": 48}).head_dim == 48
    with pytest.raises(ModelUnsupportedError, match="attention_bias"):
        read_hf_config(data | {"attention_bias": True})
    with pytest.raises(ModelUnsupportedError, match="architectures"):
        read_hf_config(data | {"architectures": ["Qwen3ForSequenceClassification"]})


def test_to_gguf_and_back(tmp_path: Path) -> None:
    config = random_config(arch="qwen3", hidden=64, heads=2, kv_heads=1, head_dim=32, tied=True)
    weights = write_folder(tmp_path / "a", config, 3, "f32", with_tokenizer=True)
    file = tmp_path / "b.gguf"
    with open_checkpoint(tmp_path / "a") as source:
        folder_to_gguf(source, file, FileRules("f32"))
    reader = gguf.GGUFReader(file)
    assert reader.fields["general.architecture"].contents() == "qwen3"
    assert "blk.1.attn_k_norm.weight" in {tensor.name for tensor in reader.tensors}
    with open_checkpoint(file) as source:
        assert source.config == read_gguf_config(_metadata(reader), tie_embeddings=True, name="b")
        gguf_to_folder(source, tmp_path / "c")
    back = json.loads((tmp_path / "c" / "config.json").read_text())
    assert (back["model_type"], back["head_dim"]) == ("qwen3", 32)
    a, c = (load(tmp_path / name, "f32") for name in "ac")
    tokens = random_tokens(a, 50)
    assert_same_bits(
        run_chunks(with_runtime(a), tokens, [50]), run_chunks(with_runtime(c), tokens, [50])
    )
    assert len(weights) == len(reader.tensors)


def _metadata(reader: gguf.GGUFReader) -> dict[str, Any]:
    return {key: field.contents() for key, field in reader.fields.items()}
