"""Qwen2 (Qwen team 2024, arXiv 2407.10671): biases on q, k and v.

DeepSeek-R1-Distill-Qwen is of this architecture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyinfer.config import ModelConfig
from pyinfer.model.architecture import Architecture, Vector
from pyinfer.model.tensors import tensor

if TYPE_CHECKING:
    from pyinfer._kernels.graph import Buffer, Graph
    from pyinfer._kernels.tensor import PackedTensor as Matrix


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one block."""

    attention_norm: Vector = tensor("input_layernorm.weight", "attn_norm.weight", "D")
    q: Matrix = tensor("self_attn.q_proj.weight", "attn_q.weight", "HK", "D")
    q_bias: Vector = tensor("self_attn.q_proj.bias", "attn_q.bias", "HK")
    k: Matrix = tensor("self_attn.k_proj.weight", "attn_k.weight", "GK", "D")
    k_bias: Vector = tensor("self_attn.k_proj.bias", "attn_k.bias", "GK")
    v: Matrix = tensor("self_attn.v_proj.weight", "attn_v.weight", "GK", "D")
    v_bias: Vector = tensor("self_attn.v_proj.bias", "attn_v.bias", "GK")
    o: Matrix = tensor("self_attn.o_proj.weight", "attn_output.weight", "D", "HK")
    mlp_norm: Vector = tensor("post_attention_layernorm.weight", "ffn_norm.weight", "D")
    gate: Matrix = tensor("mlp.gate_proj.weight", "ffn_gate.weight", "F", "D")
    up: Matrix = tensor("mlp.up_proj.weight", "ffn_up.weight", "F", "D")
    down: Matrix = tensor("mlp.down_proj.weight", "ffn_down.weight", "D", "F")


class Qwen2(Architecture[Layer]):
    """The graph of one block; everything else is shared."""

    name = "qwen2"
    hf_class = "Qwen2ForCausalLM"
    layer = Layer

    def block(
        self, p: Graph, w: Layer, index: int, x: Buffer, config: ModelConfig, *, keep: bool
    ) -> Buffer:
        """Attention, then feed-forward: (T, D) to (T, D)."""
        eps = config.rms_norm_eps
        bias = (w.q_bias, w.k_bias, w.v_bias)
        qkv = p.linear(x, w.q, w.k, w.v, norm=w.attention_norm, eps=eps, bias=bias)
        x = p.linear(p.attention(qkv, index, config.n_heads, keep), w.o, residual=x)
        hidden = p.gate_up(x, w.gate, w.up, norm=w.mlp_norm, eps=eps)  # (T, F)
        return p.linear(hidden, w.down, residual=x)
