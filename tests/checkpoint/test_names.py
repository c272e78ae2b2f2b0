"""Tensor names against the table of the ``gguf`` package, and shapes against published weights."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import pytest

from pyinfer.checkpoint.names import expected_shapes, gguf_name, hf_name, is_harmless
from pyinfer.config import ModelConfig

from ..checkpoints import random_config, tensor_shapes


def test_names_equal_the_gguf_package() -> None:
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, 3)
    config = ModelConfig.from_hf(random_config(layers=3))
    for name in expected_shapes(config):
        stem, kind = name.rsplit(".", 1)
        theirs = table.get_name(stem)
        assert theirs is not None
        assert gguf_name(name) == f"{theirs}.{kind}"
        assert hf_name(f"{theirs}.{kind}") == name


@pytest.mark.parametrize("tied", [False, True])
def test_shapes(tied: bool) -> None:
    data = random_config(layers=3, heads=6, kv_heads=3, head_dim=24, intermediate=40, tied=tied)
    assert expected_shapes(ModelConfig.from_hf(data)) == tensor_shapes(data)


def test_names_of_the_published_checkpoint(test_data: Path) -> None:
    folder = test_data / "r1-distill-qwen-1.5b"
    config = ModelConfig.from_hf(json.loads((folder / "config.json").read_text()))
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert set(expected_shapes(config)) == set(index["weight_map"])
    values = 0
    for shape in expected_shapes(config).values():
        size = 1
        for dim in shape:
            size *= dim
        values += size
    assert 4 * values == index["metadata"]["total_size"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "blk.0",
        "blk.00.attn_q.weight",
        "blk.-1.attn_q.weight",
        "blk.٣.attn_q.weight",
        "blk.0.attn_q",
        "blk.0.attn_q.weight\n",
        "blk.9999999999.attn_q.weight",
        "blk.0.attn_output.bias",
        "rope_freqs.weight",
        "model.norm.weight",
    ],
)
def test_unknown_gguf_names(name: str) -> None:
    assert hf_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "model.layers.0",
        "model.layers.01.mlp.up_proj.weight",
        "model.layers.0.mlp.up_proj.bias",
        "model.layers.0.self_attn.o_proj.bias",
        "token_embd.weight",
    ],
)
def test_unknown_hf_names(name: str) -> None:
    assert gguf_name(name) is None


def test_harmless() -> None:
    assert is_harmless("model.layers.11.self_attn.rotary_emb.inv_freq")
    assert is_harmless("model.rotary_emb.inv_freq")
    assert not is_harmless("model.layers.0.self_attn.o_proj.bias")
    assert not is_harmless("rotary_emb.inv_freq")
