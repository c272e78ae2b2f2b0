"""Qwen3, dense (Qwen team 2025, arXiv 2505.09388): q and k are normed per head, no biases.

DeepSeek-R1-0528-Qwen3-8B is of this architecture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyinfer.config import ModelConfig
from pyinfer.config_fields import Fields
from pyinfer.model.architecture import Architecture, Vector
from pyinfer.model.hf_config import refuse_if_true
from pyinfer.model.tensors import tensor

if TYPE_CHECKING:
    from pyinfer._kernels.graph import Buffer, Graph
    from pyinfer._kernels.tensor import PackedTensor as Matrix

HEAD_DIM = 128  # of a config.json that does not say, whatever its width


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one block."""

    attention_norm: Vector = tensor("input_layernorm.weight", "attn_norm.weight", "D")
    q: Matrix = tensor("self_attn.q_proj.weight", "attn_q.weight", "HK", "D")
    q_norm: Vector = tensor("self_attn.q_norm.weight", "attn_q_norm.weight", "K")
    k: Matrix = tensor("self_attn.k_proj.weight", "attn_k.weight", "GK", "D")
    k_norm: Vector = tensor("self_attn.k_norm.weight", "attn_k_norm.weight", "K")
    v: Matrix = tensor("self_attn.v_proj.weight", "attn_v.weight", "GK", "D")
    o: Matrix = tensor("self_attn.o_proj.weight", "attn_output.weight", "D", "HK")
    mlp_norm: Vector = tensor("post_attention_layernorm.weight", "ffn_norm.weight", "D")
    gate: Matrix = tensor("mlp.gate_proj.weight", "ffn_gate.weight", "F", "D")
    up: Matrix = tensor("mlp.up_proj.weight", "ffn_up.weight", "F", "D")
    down: Matrix = tensor("mlp.down_proj.weight", "ffn_down.weight", "D", "F")


class Qwen3(Architecture[Layer]):
    """The graph of one block, and a head size that does not follow from the width."""

    name = "qwen3"
    hf_class = "Qwen3ForCausalLM"
    layer = Layer

    def read_hf(self, fields: Fields, *, name: str) -> ModelConfig:
        """Read ``config.json``."""
        refuse_if_true(fields, "attention_bias")
        if not fields.present("head_dim"):
            fields = Fields({**fields.data, "head_dim": HEAD_DIM}, fields.source)
        return super().read_hf(fields, name=name)

    def write_hf(self, config: ModelConfig, *, context: int) -> dict[str, Any]:
        """Return the object of ``config.json``."""
        return {**super().write_hf(config, context=context), "head_dim": config.head_dim}

    def block(
        self, p: Graph, w: Layer, index: int, x: Buffer, config: ModelConfig, *, keep: bool
    ) -> Buffer:
        """Attention, then feed-forward: (T, D) to (T, D)."""
        eps = config.rms_norm_eps
        qkv = p.linear(x, w.q, w.k, w.v, norm=w.attention_norm, eps=eps)
        heads = p.attention(
            qkv, index, config.n_heads, keep, q_norm=w.q_norm, k_norm=w.k_norm, eps=eps
        )
        x = p.linear(heads, w.o, residual=x)
        hidden = p.gate_up(x, w.gate, w.up, norm=w.mlp_norm, eps=eps)  # (T, F)
        return p.linear(hidden, w.down, residual=x)
