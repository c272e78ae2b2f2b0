"""Rotary frequencies and YaRN against transformers; the tables at far positions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from pyinfer.model.registry import read_hf_config
from pyinfer.model.rope import attention_factor, inverse_frequencies

from ..checkpoints import random_config

pytestmark = pytest.mark.oracle
torch = pytest.importorskip("torch", reason="the oracle tests need the extra [oracle]: torch")
pytest.importorskip("transformers", reason="the oracle tests need the extra [oracle]: transformers")

YARN: list[dict[str, Any]] = [
    {"factor": 4.0, "original_max_position_embeddings": 32768},
    {"factor": 1.0, "original_max_position_embeddings": 4096},
    {
        "factor": 40.0,
        "original_max_position_embeddings": 4096,
        "mscale": 1.0,
        "mscale_all_dim": 0.5,
    },
    {"factor": 2.5, "original_max_position_embeddings": 512, "beta_fast": 64, "beta_slow": 0.5},
    {"factor": 16.0, "original_max_position_embeddings": 2048, "attention_factor": 0.7},
    {"factor": 8.0, "original_max_position_embeddings": 64, "truncate": False},
    {"factor": 8.0, "original_max_position_embeddings": 8, "beta_fast": 4, "beta_slow": 4},
]


def _reference(config: dict[str, Any]) -> tuple[np.ndarray, float, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import Qwen2Config
        from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

        hf = Qwen2Config(**config)
        rope = Qwen2RotaryEmbedding(hf)
        return rope.inv_freq.numpy(), float(rope.attention_scaling), rope


@pytest.mark.parametrize("yarn", [None, *YARN], ids=lambda y: "plain" if y is None else str(y))
@pytest.mark.parametrize(("head_dim", "theta"), [(8, 1e4), (64, 1e6), (80, 1e4), (128, 1e6)])
def test_frequencies(yarn: dict[str, Any] | None, head_dim: int, theta: float) -> None:
    config = random_config(
        head_dim=head_dim, rope_theta=theta, yarn=yarn, max_position_embeddings=131072
    )
    found = inverse_frequencies(read_hf_config(config))
    expected, factor, _ = _reference(config)
    np.testing.assert_allclose(found, expected, rtol=3e-6)
    assert attention_factor(read_hf_config(config)) == pytest.approx(factor, rel=1e-6)


@pytest.mark.parametrize("yarn", [None, YARN[0], YARN[2]], ids=["plain", "yarn", "mscale"])
def test_angles(yarn: dict[str, Any] | None) -> None:
    """Our float64 angles give the reference's float32 cosines, as far as float32 reaches."""
    config = random_config(head_dim=128, rope_theta=1e6, yarn=yarn, max_position_embeddings=131072)
    _, _, rope = _reference(config)
    positions = torch.tensor([[0, 1, 2, 63, 511, 4096]])
    cos, sin = (x[0].numpy()[:, :64] for x in rope(torch.zeros(1), positions))
    parsed = read_hf_config(config)
    angles = positions[0].numpy()[:, None] * inverse_frequencies(parsed)
    scale = attention_factor(parsed)
    # The reference rounds the angle itself to float32: relative 2^-24 of up to 4,096 radians.
    np.testing.assert_allclose(np.cos(angles) * scale, cos, atol=6e-4)
    np.testing.assert_allclose(np.sin(angles) * scale, sin, atol=6e-4)
