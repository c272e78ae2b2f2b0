"""Frequencies of the rotary position embedding, and how a longer context changes them.

Rotary embedding: Su et al. 2021 (arXiv 2104.09864). YaRN: Peng et al. 2023 (arXiv 2309.00071),
with the parameters and rounding of transformers' ``rope_utils``. Llama 3.1 (Llama team 2024, arXiv
2407.21783) divides slow frequencies; its GGUF files hold the divisors.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pyinfer.config import FrequencyDivisors, Llama3Scaling, ModelConfig, YarnScaling
from pyinfer.config_fields import MAX_ROPE_FACTOR

# Of every published model with this scaling.
LLAMA3_LOW, LLAMA3_HIGH, LLAMA3_ORIGINAL = 1.0, 4.0, 8192


def inverse_frequencies(config: ModelConfig) -> npt.NDArray[np.float64]:
    """Return the angle per position of each rotated pair, float64 (K / 2,)."""
    half = config.head_dim // 2
    plain = config.rope_theta ** -(np.arange(half, dtype=np.float64) * 2 / config.head_dim)
    match config.rope_scaling:
        case None:
            return plain
        case FrequencyDivisors(values):
            return np.asarray(plain / np.array(values, dtype=np.float64))
        case Llama3Scaling() as llama3:
            return plain / llama3_divisors(plain, llama3)
        case YarnScaling() as yarn:
            keep = _kept_share(config, yarn)
            return plain * keep + plain / yarn.factor * (1 - keep)


def attention_factor(config: ModelConfig) -> float:
    """Return what cosine and sine are multiplied by: 1 without YaRN."""
    scaling = config.rope_scaling
    return scaling.attention_scale if isinstance(scaling, YarnScaling) else 1.0


def llama3_divisors(
    plain: npt.NDArray[np.float64], scaling: Llama3Scaling
) -> npt.NDArray[np.float64]:
    """Return what each of the frequencies ``plain`` is divided by, float64 (K / 2,)."""
    rotations = scaling.original_max_position * plain / (2 * math.pi)
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    keep = np.clip((rotations - low) / (high - low), 0, 1)
    return np.asarray(1 / (keep + (1 - keep) / scaling.factor))


def llama3_of_divisors(config: ModelConfig, given: FrequencyDivisors) -> Llama3Scaling | None:
    """Return a scaling that has the divisors of a GGUF file, or None.

    A file holds nothing else of it. The largest divisor is the factor; what the others keep of
    their frequencies grows linearly with the rotations over the original context, which gives the
    two borders. Counted over a context of another length the borders are others, and the
    frequencies the same: the length is that of all published models.
    """
    factor = max(given.values)
    if not 1 < factor <= MAX_ROPE_FACTOR:
        return None
    plain = inverse_frequencies(replace(config, rope_scaling=None))
    divisors = np.array(given.values, dtype=np.float64)
    rotations = LLAMA3_ORIGINAL * plain / (2 * math.pi)
    keep = (1 / divisors - 1 / factor) / (1 - 1 / factor)
    tries = [(LLAMA3_LOW, LLAMA3_HIGH)]
    mixed = np.flatnonzero((keep > 1e-5) & (keep < 1 - 1e-5))
    if len(mixed) > 1:
        slope, start = np.polyfit(rotations[mixed], keep[mixed], 1)
        if slope > 0:
            tries.append((float(-start / slope), float((1 - start) / slope)))
    for low, high in tries:
        scaling = Llama3Scaling(factor, low, high, LLAMA3_ORIGINAL)
        if 0 < low < high and np.allclose(llama3_divisors(plain, scaling), divisors, rtol=2e-6):
            return scaling
    return None


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
