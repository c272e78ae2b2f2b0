"""Frequencies of the rotary position embedding, with YaRN scaling.

Rotary embedding: Su et al. 2021 (arXiv 2104.09864). YaRN: Peng et al. 2023 (arXiv 2309.00071),
with the parameters and rounding of transformers' ``rope_utils``.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pyinfer.config import ModelConfig, YarnScaling


def inverse_frequencies(config: ModelConfig) -> npt.NDArray[np.float64]:
    """Return the angle per position of each rotated pair, float64 (K / 2,)."""
    half = config.head_dim // 2
    plain = config.rope_theta ** -(np.arange(half, dtype=np.float64) * 2 / config.head_dim)
    if config.rope_scaling is None:
        return plain
    keep = _kept_share(config, config.rope_scaling)
    return plain * keep + plain / config.rope_scaling.factor * (1 - keep)


def attention_factor(config: ModelConfig) -> float:
    """Return what cosine and sine are multiplied by: 1 without YaRN."""
    return 1.0 if config.rope_scaling is None else config.rope_scaling.attention_scale


def _kept_share(config: ModelConfig, yarn: YarnScaling) -> npt.NDArray[np.float64]:
    """Return per pair how much of the plain frequency stays: 1 for fast pairs, 0 for slow ones."""
    low = _pair_of_rotations(config, yarn, yarn.beta_fast)
    high = _pair_of_rotations(config, yarn, yarn.beta_slow)
    if yarn.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0.0), min(high, config.head_dim - 1.0)
    if low == high:
        high += 0.001  # a ramp of zero width divides by zero
    ramp = (np.arange(config.head_dim // 2, dtype=np.float64) - low) / (high - low)
    return 1 - np.clip(ramp, 0, 1)


def _pair_of_rotations(config: ModelConfig, yarn: YarnScaling, rotations: float) -> float:
    """Return the (fractional) pair that turns ``rotations`` times over the original context."""
    return (
        config.head_dim
        * math.log(yarn.original_max_position / (rotations * 2 * math.pi))
        / (2 * math.log(config.rope_theta))
    )
