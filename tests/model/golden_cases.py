"""The models behind ``tests/golden/logits``: configs, weights by rule, tokens by rule.

Weights come from an integer hash, so that every version of NumPy makes the same ones and the files
need to hold the expected logits only. ``python -m tools.make_golden`` writes those files.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from ..checkpoints import Weights, random_config, tensor_shapes

FOLDER = Path(__file__).parents[1] / "golden" / "logits"
N_TOKENS = 24


@dataclass(frozen=True, slots=True)
class Case:
    """One expected output: a config, a seed, and the format in which the model runs."""

    name: str
    config: dict[str, Any]
    dtype: str

    @property
    def path(self) -> Path:
        """Where the expected logits are."""
        return FOLDER / f"{self.name}-{self.dtype}.npz"


_CONFIGS = {
    "gqa6": random_config(hidden=96, heads=6, kv_heads=1, head_dim=16, vocab=120),
    "off-grid-tied": random_config(
        hidden=40, layers=3, heads=4, kv_heads=2, head_dim=8, intermediate=52, vocab=101, tied=True
    ),
    "head-80": random_config(hidden=80, heads=2, kv_heads=1, head_dim=80, vocab=90),
    "yarn": random_config(
        head_dim=32,
        vocab=128,
        yarn={"factor": 4.0, "original_max_position_embeddings": 8, "beta_fast": 4.0},
    ),
    "wide": random_config(
        hidden=160, layers=3, heads=4, kv_heads=2, head_dim=64, intermediate=288, vocab=150
    ),
}
_CONFIGS |= {
    "qwen3-off-grid": random_config(
        arch="qwen3", hidden=40, heads=4, kv_heads=1, head_dim=20, intermediate=52, vocab=101
    ),
    "qwen3-tied": random_config(
        arch="qwen3", hidden=96, heads=4, kv_heads=2, head_dim=32, vocab=120, tied=True
    ),
    "llama": random_config(
        arch="llama",
        hidden=96,
        heads=8,
        kv_heads=2,
        vocab=120,
        rope_theta=500.0,
        llama3={
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16,
        },
    ),
}
CASES = [Case(name, config, "f32") for name, config in _CONFIGS.items()] + [
    Case("wide", _CONFIGS["wide"], dtype) for dtype in ("bf16", "f16", "q8_0", "q4_0")
]


def tokens_of(case: Case) -> npt.NDArray[np.int32]:
    """Token ids of a case."""
    ids = _hash(np.arange(N_TOKENS, dtype=np.uint32), 77) % case.config["vocab_size"]
    return ids.astype(np.int32)


def weights_of(config: Mapping[str, Any]) -> Weights:
    """Uniform weights; branches weaker than the residual stream, as in a trained net."""
    weights: Weights = {}
    depth = 2 * config["num_hidden_layers"]
    for name, shape in tensor_shapes(config).items():
        bits = _hash(np.arange(int(np.prod(shape)), dtype=np.uint32), zlib.crc32(name.encode()))
        unit = (bits >> 8).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)
        if name.endswith("norm.weight"):
            values = np.float32(1) + np.float32(0.3) * unit
        elif name.endswith("bias"):
            values = np.float32(0.5) * unit
        else:
            scale = np.sqrt(3.0 / shape[1])
            if "embed" in name:
                scale = 1.0 if not config["tie_word_embeddings"] else scale
            elif "o_proj" in name or "down_proj" in name:
                scale /= np.sqrt(depth)
            elif "lm_head" in name:
                scale *= 3
            values = np.float32(scale) * unit
        weights[name] = values.reshape(shape).astype(np.float32)
    return weights


def dequantized(weights: Weights, dtype: str) -> Weights:
    """Weights after a round trip through ``dtype``, by the gguf package; vectors stay f32."""
    out: Weights = {}
    for name, values in weights.items():
        kind = dtype if values.ndim == 2 else "f32"
        if dtype == "q4_0" and ("embed" in name or "lm_head" in name):
            kind = "q8_0"
        qtype = gguf.GGMLQuantizationType[kind.upper()]
        raw = gguf.quants.quantize(values, qtype)
        out[name] = gguf.quants.dequantize(raw, qtype).astype(np.float32)
    return out


def _hash(x: npt.NDArray[np.uint32], seed: int) -> npt.NDArray[np.uint32]:
    """Mix 32 bits: the finalizer "lowbias32" (Wellons 2018)."""
    x = x * np.uint32(0x9E3779B9) + np.uint32(seed)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return x ^ (x >> np.uint32(16))
