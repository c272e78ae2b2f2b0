"""Llama (Touvron et al. 2023, arXiv 2302.13971; Llama team 2024, arXiv 2407.21783): no biases.

DeepSeek-R1-Distill-Llama 8B and 70B are of this architecture. Its GGUF files keep two habits of the
first Llama: rows of q and k are ordered for a rotation of neighbours, and the rotary scaling is a
tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyinfer.config import ModelConfig
from pyinfer.config_fields import Fields
from pyinfer.model.architecture import Architecture, Vector
from pyinfer.model.hf_config import refuse_if_true
from pyinfer.model.tensors import tensor

if TYPE_CHECKING:
    from pyinfer._kernels.graph import Buffer, Graph
    from pyinfer._kernels.tensor import PackedTensor as Matrix


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one block."""

    attention_norm: Vector = tensor("input_layernorm.weight", "attn_norm.weight", "D")
    q: Matrix = tensor("self_attn.q_proj.weight", "attn_q.weight", "HK", "D", interleaved=True)
    k: Matrix = tensor("self_attn.k_proj.weight", "attn_k.weight", "GK", "D", interleaved=True)
    v: Matrix = tensor("self_attn.v_proj.weight", "attn_v.weight", "GK", "D")
    o: Matrix = tensor("self_attn.o_proj.weight", "attn_output.weight", "D", "HK")
    mlp_norm: Vector = tensor("post_attention_layernorm.weight", "ffn_norm.weight", "D")
    gate: Matrix = tensor("mlp.gate_proj.weight", "ffn_gate.weight", "F", "D")
    up: Matrix = tensor("mlp.up_proj.weight", "ffn_up.weight", "F", "D")
    down: Matrix = tensor("mlp.down_proj.weight", "ffn_down.weight", "D", "F")


class Llama(Architecture[Layer]):
    """The graph of one block, and what is particular to its GGUF files."""

    name = "llama"
    hf_class = "LlamaForCausalLM"
    layer = Layer
    rope_tensor = "rope_freqs.weight"

    def read_hf(self, fields: Fields, *, name: str) -> ModelConfig:
        """Read ``config.json``."""
        refuse_if_true(fields, "attention_bias", "mlp_bias")
        return super().read_hf(fields, name=name)

    def block(
        self, p: Graph, w: Layer, index: int, x: Buffer, config: ModelConfig, *, keep: bool
    ) -> Buffer:
        """Attention, then feed-forward: (T, D) to (T, D)."""
        eps = config.rms_norm_eps
        qkv = p.linear(x, w.q, w.k, w.v, norm=w.attention_norm, eps=eps)
        x = p.linear(p.attention(qkv, index, config.n_heads, keep), w.o, residual=x)
        hidden = p.gate_up(x, w.gate, w.up, norm=w.mlp_norm, eps=eps)  # (T, F)
        return p.linear(hidden, w.down, residual=x)
