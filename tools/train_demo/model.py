"""The demo architecture: a small Qwen2."""

from __future__ import annotations

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from .tokenizer import MODEL_VOCABULARY

MAX_POSITION = 2048


def demo_config(bos_id: int, eos_id: int) -> Qwen2Config:
    """Return the configuration: widths are multiples of 256, so that every block format fits."""
    return Qwen2Config(
        vocab_size=MODEL_VOCABULARY,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=MAX_POSITION,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=False,
        use_sliding_window=False,
        attention_dropout=0.0,
        bos_token_id=bos_id,
        eos_token_id=eos_id,
        use_cache=False,
    )


def new_model(config: Qwen2Config, seed: int) -> Qwen2ForCausalLM:
    """Return a freshly initialised float32 model."""
    torch.manual_seed(seed)
    return Qwen2ForCausalLM(config).float()
