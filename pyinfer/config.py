"""Hyper-parameters of a model and its sampling defaults.

A :class:`ModelConfig` that exists is safe to compute with: its values are checked where they are
read, by the architecture (:mod:`pyinfer.model.registry`) with the checks of
:mod:`pyinfer.config_fields`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyinfer.config_generation import GGUF_SAMPLING, NO_TOKEN, GenerationDefaults
from pyinfer.config_rope import FrequencyDivisors, Llama3Scaling, RopeScaling, YarnScaling

__all__ = [
    "GGUF_SAMPLING",
    "NO_TOKEN",
    "FrequencyDivisors",
    "GenerationDefaults",
    "Llama3Scaling",
    "ModelConfig",
    "RopeScaling",
    "YarnScaling",
]


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The checked hyper-parameters of one model.

    Attributes
    ----------
    architecture : str
        Name in :mod:`pyinfer.model.registry`, such as ``"qwen2"``.
    vocab_size : int
        V, rows of the embedding, padding rows included.
    hidden_size, intermediate_size : int
        D, the model width, and the width of the feed-forward part.
    n_layers, n_heads, n_kv_heads, head_dim : int
        Layers, H query heads, G key/value heads (G divides H), K values per head (even).
    rms_norm_eps, rope_theta : float
        Both finite and positive; ``rope_theta`` is above 1.
    rope_scaling : YarnScaling, Llama3Scaling, FrequencyDivisors or None
        None for plain rotary positions.
    max_position : int
        Longest context in tokens. With YaRN at least ``factor * original_max_position``.
    tie_embeddings : bool
        Whether the head is the embedding matrix.
    name : str
        For messages only.
    """

    architecture: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    rms_norm_eps: float
    rope_theta: float
    rope_scaling: RopeScaling | None
    max_position: int
    tie_embeddings: bool
    name: str
