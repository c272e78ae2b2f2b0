"""Sampling written the slow and obvious way, in float64 over the whole sorted vocabulary."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyinfer.engine.params import SamplingParams


@dataclass(slots=True)
class Row:
    """A row of logits as a model delivers it."""

    ids: np.ndarray
    values: np.ndarray
    log_sum_exp: float
    finite: bool
    full: np.ndarray


def make_row(logits: Any, n_valid: int, candidates: int) -> Row:
    full = np.asarray(logits, np.float32)
    valid = full[:n_valid].astype(np.float64)
    order = sorted(range(n_valid), key=lambda i: (-valid[i], i))[:candidates]
    top = valid.max()
    ids = np.array(order, np.int32)
    lse = float(top + np.log(np.exp(valid - top).sum()))
    return Row(ids, full[ids], lse, bool(np.isfinite(full[:n_valid]).all()), full)


def edited(
    logits: np.ndarray, n_valid: int, params: SamplingParams, context: list[int]
) -> dict[int, float]:
    """Logits by id after penalties and bias, as float32; banned ids are absent."""
    out = {i: float(logits[i]) for i in range(n_valid)}
    window = context if params.repeat_last_n < 0 else context[-params.repeat_last_n :]
    if params.repeat_last_n == 0 or "penalties" not in params.samplers:
        window = []
    for token, times in Counter(window).items():
        value = out[token]
        penalty = params.repetition_penalty
        value = value / penalty if value > 0 else value * penalty
        out[token] = value - times * params.frequency_penalty - params.presence_penalty
    for token, amount in params.logit_bias.items():
        out[token] += amount
    return {i: float(np.float32(v)) for i, v in out.items() if v > -math.inf}


def distribution(logits: dict[int, float], params: SamplingParams) -> tuple[list[int], list[float]]:
    """Remaining tokens (best first) and their probabilities after all stages."""
    ids = sorted(logits, key=lambda i: (-logits[i], i))
    z = [logits[i] for i in ids]
    for stage in params.samplers:
        p = _softmax(z)
        keep = list(range(len(ids)))
        if stage == "top_k" and params.top_k > 0:
            keep = keep[: params.top_k]
        elif stage == "top_p" and params.top_p < 1:
            total, keep = 0.0, []
            for k in range(len(ids)):
                keep.append(k)
                total += p[k]
                if total >= params.top_p:
                    break
        elif stage == "min_p" and params.min_p > 0:
            keep = [k for k in keep if p[k] >= params.min_p * p[0]]
        elif stage == "typical_p" and params.typical_p < 1:
            entropy = -sum(x * math.log(x) for x in p if x > 0)
            far = [abs(-math.log(x) - entropy) if x > 0 else math.inf for x in p]
            total, chosen = 0.0, []
            for k in sorted(keep, key=lambda k: far[k]):
                chosen.append(k)
                total += p[k]
                if total > params.typical_p:
                    break
            keep = sorted(chosen)
        elif stage == "temperature":
            z = [v / params.temperature for v in z]
        ids, z = [ids[k] for k in keep], [z[k] for k in keep]
    return ids, _softmax(z)


def _softmax(z: list[float]) -> list[float]:
    weights = [math.exp(v - z[0]) for v in z]
    total = math.fsum(weights)
    return [w / total for w in weights]
