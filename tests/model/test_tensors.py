"""Tensor names against the tables of the ``gguf`` package, and shapes against published weights."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

import gguf
import pytest

from pyinfer.model.registry import ARCHITECTURES, architecture, read_hf_config
from pyinfer.model.tensors import is_harmless

from ..checkpoints import random_config

QWEN2 = architecture("qwen2").tensors


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_names_equal_the_gguf_package(name: str) -> None:
    found = architecture(name)
    kinds = {text: kind for kind, text in gguf.MODEL_ARCH_NAMES.items()}
    table = gguf.get_tensor_name_map(kinds[name], 3)
    config = read_hf_config(random_config(arch=name, layers=3))
    for canonical in found.tensors.shapes(config):
        stem, kind = canonical.rsplit(".", 1)
        theirs = table.get_name(stem)
        assert theirs is not None
        assert found.tensors.gguf_name(canonical) == f"{theirs}.{kind}"
        assert found.tensors.hf_name(f"{theirs}.{kind}") == canonical


@pytest.mark.parametrize("tied", [False, True])
def test_shapes(tied: bool) -> None:
    data = random_config(layers=2, heads=6, kv_heads=3, head_dim=24, intermediate=40, tied=tied)
    shapes = QWEN2.shapes(read_hf_config(data))
    expected = {
        "model.layers.1.self_attn.q_proj.weight": (144, 64),
        "model.layers.1.self_attn.q_proj.bias": (144,),
        "model.layers.1.self_attn.k_proj.weight": (72, 64),
        "model.layers.1.self_attn.v_proj.bias": (72,),
        "model.layers.1.self_attn.o_proj.weight": (64, 144),
        "model.layers.1.mlp.up_proj.weight": (40, 64),
        "model.layers.1.mlp.down_proj.weight": (64, 40),
        "model.layers.1.input_layernorm.weight": (64,),
        "model.embed_tokens.weight": (320, 64),
        "model.norm.weight": (64,),
    }
    assert {name: shapes[name] for name in expected} == expected
    assert shapes.get("lm_head.weight") == (None if tied else (320, 64))
    assert len(shapes) == 2 * 12 + (2 if tied else 3)


def test_names_of_the_published_checkpoint(test_data: Path) -> None:
    folder = test_data / "r1-distill-qwen-1.5b"
    config = read_hf_config(json.loads((folder / "config.json").read_text()))
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert set(QWEN2.shapes(config)) == set(index["weight_map"])
    values = sum(prod(shape) for shape in QWEN2.shapes(config).values())
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
    assert QWEN2.hf_name(name) is None


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
    assert QWEN2.gguf_name(name) is None


def test_harmless() -> None:
    assert is_harmless("model.layers.11.self_attn.rotary_emb.inv_freq")
    assert is_harmless("model.rotary_emb.inv_freq")
    assert not is_harmless("model.layers.0.self_attn.o_proj.bias")
    assert not is_harmless("rotary_emb.inv_freq")
