"""Models of transformers on given weights: f32, CPU, eager attention."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checkpoints import Weights, tensor_shapes

Floats = npt.NDArray[np.float32]


def reference_model(config: Mapping[str, Any], weights: Weights) -> Any:
    """The model of transformers that ``config`` names, with exactly these weights."""
    with warnings.catch_warnings():
        # Deprecations inside the reference are not ours.
        warnings.simplefilter("ignore")
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        torch.set_num_threads(2)
        hf = AutoConfig.for_model(**copy.deepcopy(dict(config)))
        model = AutoModelForCausalLM.from_config(hf, attn_implementation="eager")
        model = model.to(torch.float32).eval()
        state = {name: torch.from_numpy(values.copy()) for name, values in weights.items()}
        if config["tie_word_embeddings"]:
            state["lm_head.weight"] = state["model.embed_tokens.weight"]
        model.load_state_dict(state, strict=True)
        return model


def forward(model: Any, tokens: npt.NDArray[np.int32]) -> Floats:
    """Logits of every position, float32 (T, V)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch

        with torch.no_grad():
            ids = torch.from_numpy(tokens.astype(np.int64))[None]
            logits: Floats = model(ids, use_cache=False).logits[0].numpy()
    return logits


def trained_like_weights(config: Mapping[str, Any], seed: int = 0) -> Weights:
    """Random weights that pass rounding errors on as a trained net does.

    A trained net adds small corrections to its residual stream, layer by layer. With branches
    stronger than the stream, as plain random weights have, each layer multiplies whatever
    difference it meets: an 8-bit activation then says more about chaos than about the arithmetic.
    So the inputs of a branch get unit variance and all branches together add at most as much as the
    stream holds. Logits have a deviation of about 3, as trained models do; with tied embeddings
    less, because there every token predicts itself with sqrt(width) times that.
    """
    rng = np.random.default_rng(seed)
    depth = 2 * config["num_hidden_layers"]
    weights: Weights = {}
    for name, shape in tensor_shapes(config).items():
        values = rng.standard_normal(shape, dtype=np.float32)
        if name.endswith("norm.weight"):
            values = 1 + 0.2 * values
        elif name.endswith("bias"):
            values *= 0.3
        elif "embed" in name:
            values *= _embedding_deviation(config)
        elif "lm_head" in name:
            values *= 3 / np.sqrt(shape[1])
        elif "o_proj" in name or "down_proj" in name:
            values *= _embedding_deviation(config) / np.sqrt(depth * shape[1])
        else:
            values *= 1 / np.sqrt(shape[1])
        weights[name] = values.astype(np.float32)
    return weights


def _embedding_deviation(config: Mapping[str, Any]) -> float:
    return 0.5 / float(np.sqrt(config["hidden_size"])) if config["tie_word_embeddings"] else 1.0
