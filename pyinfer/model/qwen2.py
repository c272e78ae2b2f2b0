"""Qwen2 (Qwen team 2024, arXiv 2407.10671): the graph of one step and the weights it names.

The same :func:`forward` is recorded into a program or run eagerly, op by op; see
:mod:`pyinfer._kernels.graph`. Letters: T tokens, D width, F feed-forward width, H query heads,
G kv heads, K head size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyinfer._kernels.graph import Buffer, Graph
from pyinfer._kernels.tensor import PackedTensor
from pyinfer.config import ModelConfig

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one transformer block."""

    attention_norm: Vector  # (D,)
    q: PackedTensor  # (H K, D)
    k: PackedTensor  # (G K, D)
    v: PackedTensor  # (G K, D)
    qkv_bias: tuple[Vector, Vector, Vector]
    o: PackedTensor  # (D, H K)
    mlp_norm: Vector  # (D,)
    gate: PackedTensor  # (F, D)
    up: PackedTensor  # (F, D)
    down: PackedTensor  # (D, F)


@dataclass(frozen=True, slots=True)
class Weights:
    """All weights; ``head`` is ``embedding`` when the two are tied."""

    embedding: PackedTensor  # (V, D)
    layers: Sequence[Layer]
    norm: Vector  # (D,)
    head: PackedTensor  # (V, D)


def forward(p: Graph, w: Weights, config: ModelConfig) -> None:
    """One step: tokens in the frame of ``p`` to logits."""
    x = p.embed(w.embedding)  # (T, D)
    for i, layer in enumerate(w.layers):
        x = block(p, layer, i, x, config, keep=layer is w.layers[-1])
    p.head(x, w.head, w.norm, config.rms_norm_eps)


def block(
    p: Graph, w: Layer, index: int, x: Buffer, config: ModelConfig, *, keep: bool = False
) -> Buffer:
    """Attention and feed-forward, each on a normed input and added to the residual stream.

    ``keep`` leaves out the rows that nobody reads: behind the last layer's keys and values they
    change nothing.
    """
    eps = config.rms_norm_eps
    qkv = p.linear(x, w.q, w.k, w.v, norm=w.attention_norm, eps=eps, bias=w.qkv_bias)
    x = p.linear(p.attention(qkv, index, config.n_heads, keep), w.o, residual=x)
    hidden = p.gate_up(x, w.gate, w.up, norm=w.mlp_norm, eps=eps)  # (T, F)
    return p.linear(hidden, w.down, residual=x)


def final_norm(w: Weights) -> Vector:
    """Weights of the norm in front of the head, (D,)."""
    return w.norm


def weight_sample(p: Graph, w: Weights, config: ModelConfig, nbytes: int) -> int:
    """Feed-forward parts until ``nbytes`` of weights are read: what the tuner times.

    Returns the bytes read.
    """
    x, done = p.embed(w.embedding), 0
    for layer in w.layers:
        if done >= nbytes:
            break
        hidden = p.gate_up(x, layer.gate, layer.up, norm=layer.mlp_norm, eps=config.rms_norm_eps)
        x = p.linear(hidden, layer.down, residual=x)
        done += layer.gate.nbytes + layer.up.nbytes + layer.down.nbytes
    return done


def bytes_per_token(w: Weights) -> int:
    """Weight bytes that one decode step reads; of an untied embedding a single row."""
    matrices = [m for x in w.layers for m in (x.q, x.k, x.v, x.o, x.gate, x.up, x.down)]
    return sum(m.nbytes for m in [*matrices, w.head])


def build(
    config: ModelConfig,
    matrix: Callable[[str], PackedTensor],
    vector: Callable[[str], Vector],
) -> Weights:
    """Collect the weights by their Hugging Face names, in the order in which they are read."""
    embedding = matrix("model.embed_tokens.weight")
    layers = [_layer(f"model.layers.{i}.", matrix, vector) for i in range(config.n_layers)]
    head = embedding if config.tie_embeddings else matrix("lm_head.weight")
    return Weights(embedding, layers, vector("model.norm.weight"), head)


def _layer(
    prefix: str, matrix: Callable[[str], PackedTensor], vector: Callable[[str], Vector]
) -> Layer:
    def bias(name: str) -> Vector:
        return vector(f"{prefix}self_attn.{name}_proj.bias")

    return Layer(
        attention_norm=vector(prefix + "input_layernorm.weight"),
        q=matrix(prefix + "self_attn.q_proj.weight"),
        k=matrix(prefix + "self_attn.k_proj.weight"),
        v=matrix(prefix + "self_attn.v_proj.weight"),
        qkv_bias=(bias("q"), bias("k"), bias("v")),
        o=matrix(prefix + "self_attn.o_proj.weight"),
        mlp_norm=vector(prefix + "post_attention_layernorm.weight"),
        gate=matrix(prefix + "mlp.gate_proj.weight"),
        up=matrix(prefix + "mlp.up_proj.weight"),
        down=matrix(prefix + "mlp.down_proj.weight"),
    )
