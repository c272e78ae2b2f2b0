"""Tensor names of Qwen2 checkpoints, Hugging Face and GGUF, and the shapes a config implies.

The Hugging Face names are the canonical ones inside this package.
"""

from __future__ import annotations

import re

from pyinfer.config import ModelConfig

_TOP = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}

_LAYER = {
    "attn_norm.weight": "input_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_q.bias": "self_attn.q_proj.bias",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_k.bias": "self_attn.k_proj.bias",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_v.bias": "self_attn.v_proj.bias",
    "attn_output.weight": "self_attn.o_proj.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
}

_TOP_BACK = {hf: gguf for gguf, hf in _TOP.items()}
_LAYER_BACK = {hf: gguf for gguf, hf in _LAYER.items()}

# No leading zeros and ASCII digits only: each layer has exactly one spelling.
_GGUF_LAYER = re.compile(r"blk\.(0|[1-9][0-9]{0,8})\.(.+)")
_HF_LAYER = re.compile(r"model\.layers\.(0|[1-9][0-9]{0,8})\.(.+)")

# Buffers that old versions of transformers saved; they follow from the config.
_HARMLESS = re.compile(r"model\.(?:layers\.[0-9]+\.self_attn\.)?rotary_emb\.inv_freq")


def hf_name(gguf_name: str) -> str | None:
    """Return the Hugging Face name of a GGUF tensor, or None for one that Qwen2 does not have."""
    match = _GGUF_LAYER.fullmatch(gguf_name)
    if match is None:
        return _TOP.get(gguf_name)
    inner = _LAYER.get(match[2])
    return None if inner is None else f"model.layers.{match[1]}.{inner}"


def gguf_name(hf_name: str) -> str | None:
    """Return the GGUF name of a Hugging Face tensor, or None for one that Qwen2 does not have."""
    match = _HF_LAYER.fullmatch(hf_name)
    if match is None:
        return _TOP_BACK.get(hf_name)
    inner = _LAYER_BACK.get(match[2])
    return None if inner is None else f"blk.{match[1]}.{inner}"


def is_harmless(hf_name: str) -> bool:
    """Whether a tensor outside the expected ones may be ignored."""
    return _HARMLESS.fullmatch(hf_name) is not None


def expected_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return every tensor that the model needs, with its shape.

    Returns
    -------
    dict
        Canonical name -> (rows, cols) or (n,), in the order of the graph. ``lm_head.weight`` is
        absent if the embeddings are tied.
    """
    width, inner = config.hidden_size, config.intermediate_size
    q_rows = config.n_heads * config.head_dim
    kv_rows = config.n_kv_heads * config.head_dim
    layer: dict[str, tuple[int, ...]] = {
        "input_layernorm.weight": (width,),
        "self_attn.q_proj.weight": (q_rows, width),
        "self_attn.q_proj.bias": (q_rows,),
        "self_attn.k_proj.weight": (kv_rows, width),
        "self_attn.k_proj.bias": (kv_rows,),
        "self_attn.v_proj.weight": (kv_rows, width),
        "self_attn.v_proj.bias": (kv_rows,),
        "self_attn.o_proj.weight": (width, q_rows),
        "post_attention_layernorm.weight": (width,),
        "mlp.gate_proj.weight": (inner, width),
        "mlp.up_proj.weight": (inner, width),
        "mlp.down_proj.weight": (width, inner),
    }
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config.vocab_size, width)}
    for index in range(config.n_layers):
        shapes |= {f"model.layers.{index}.{name}": shape for name, shape in layer.items()}
    shapes["model.norm.weight"] = (width,)
    if not config.tie_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, width)
    return shapes
