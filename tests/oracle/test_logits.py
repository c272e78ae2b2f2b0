"""Our logits against transformers, from folders and GGUF files, in every format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from ..checkpoints import Weights, random_config, random_weights, write_folder, write_gguf
from ..model.mixed_gguf import write_mixed_gguf
from ..model.steps import load, random_tokens, run_chunks, with_runtime
from .agreement import (
    LENGTH,
    LOGIT_TOLERANCE,
    assert_close,
    assert_folder_agrees,
    assert_gguf_agrees,
    our_logits,
)
from .reference import Floats, forward, reference_model, trained_like_weights

pytestmark = pytest.mark.oracle
pytest.importorskip("torch", reason="the oracle tests need the extra [oracle]: torch")
pytest.importorskip("transformers", reason="the oracle tests need the extra [oracle]: transformers")

COSINE = 0.999

YARN = {"factor": 4.0, "original_max_position_embeddings": 64}
CONFIGS: dict[str, dict[str, Any]] = {
    "ratio-1-head-32": random_config(hidden=64, heads=2, kv_heads=2, head_dim=32),
    "ratio-2-head-64-tied": random_config(hidden=128, heads=2, kv_heads=1, head_dim=64, tied=True),
    "ratio-5-head-32": random_config(hidden=160, heads=5, kv_heads=1, head_dim=32),
    "ratio-6-head-128": random_config(
        hidden=192, heads=12, kv_heads=2, head_dim=128, intermediate=352
    ),
    "ratio-7-head-64": random_config(hidden=224, heads=14, kv_heads=2, head_dim=64, vocab=1500),
    "head-8-off-grid-tied": random_config(
        hidden=40, layers=3, heads=4, kv_heads=2, head_dim=8, intermediate=52, vocab=333, tied=True
    ),
    "head-80": random_config(hidden=320, heads=4, kv_heads=2, head_dim=80, intermediate=200),
    "width-off-grid": random_config(
        hidden=100, layers=3, heads=3, kv_heads=3, head_dim=20, intermediate=77, vocab=1031
    ),
    "deep-theta": random_config(
        hidden=96, layers=6, heads=6, kv_heads=1, head_dim=16, rope_theta=1e6, rms_norm_eps=1e-5
    ),
    "yarn-default": random_config(head_dim=64, yarn=YARN),
    "yarn-factor-attention": random_config(
        head_dim=128, yarn=YARN | {"factor": 8.0, "attention_factor": 1.3}
    ),
    "yarn-betas": random_config(head_dim=32, yarn=YARN | {"beta_fast": 16.0, "beta_slow": 2.0}),
    "yarn-mscale-smooth": random_config(
        head_dim=64,
        rope_theta=1e6,
        yarn=YARN | {"mscale": 1.2, "mscale_all_dim": 0.8, "truncate": False},
    ),
}
SHARDS = {"ratio-5-head-32": 3, "head-8-off-grid-tied": 2, "yarn-betas": 5}


@pytest.mark.parametrize("name", CONFIGS)
def test_f32_folder(name: str, tmp_path: Path, record_property: Any) -> None:
    assert_folder_agrees(tmp_path, CONFIGS[name], record_property, shards=SHARDS.get(name, 1))


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
def test_f32_arithmetic_on_stored_16_bits(dtype: str, tmp_path: Path, record_property: Any) -> None:
    config = CONFIGS["ratio-6-head-128"]
    weights = write_folder(tmp_path, config, seed=12, dtype=dtype, shards=2)
    model = load(tmp_path, "f32")
    tokens = random_tokens(model, 100)
    expected = forward(reference_model(config, weights), tokens)
    assert_close(our_logits(model, tokens), expected, record_property)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", ["ratio-5-head-32", "ratio-2-head-64-tied", "yarn-default"])
def test_f32_gguf(name: str, version: int, tmp_path: Path, record_property: Any) -> None:
    assert_gguf_agrees(tmp_path, CONFIGS[name], record_property, version=version)


def test_f32_far_positions(tmp_path: Path, record_property: Any) -> None:
    config = random_config(
        layers=1,
        head_dim=64,
        max_position_embeddings=8192,
        yarn=YARN | {"original_max_position_embeddings": 2048},
    )
    weights = write_folder(tmp_path, config, seed=14, dtype="f32")
    model = load(tmp_path, "f32")
    tokens = random_tokens(model, 3000)
    twin = with_runtime(model, 2, context=3072, sequences=1)
    found = np.stack([row.full for row in run_chunks(twin, tokens, [2900, 99, 1])])
    assert_close(found, forward(reference_model(config, weights), tokens), record_property)


def _log_softmax(logits: Floats) -> np.ndarray:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _assert_alike(
    label: str,
    found: Floats,
    expected: Floats,
    record: Callable[[str, object], None],
    table: list[str],
) -> None:
    a, b = found.astype(np.float64), expected.astype(np.float64)
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    p, q = _log_softmax(expected), _log_softmax(found)
    kl = (np.exp(p) * (p - q)).sum(axis=1)
    top = float((a.argmax(axis=1) == b.argmax(axis=1)).mean())
    record("cosine", float(cosine.min()))
    record("kl", float(kl.mean()))
    table.append(
        f"{label:28} cosine >= {cosine.min():.6f}  KL mean {kl.mean():.2e} max {kl.max():.2e}  "
        f"same best token {top:.1%}"
    )
    assert cosine.min() >= COSINE


QUANTIZED_CONFIGS = {
    "ratio-6": random_config(
        hidden=384, layers=4, heads=6, kv_heads=1, head_dim=64, intermediate=512, vocab=2000
    ),
    "ratio-2-tied": random_config(
        hidden=256, layers=3, heads=4, kv_heads=2, head_dim=64, intermediate=320, tied=True
    ),
}


def _dequantized(weights: Weights, dtype: str) -> Weights:
    """Weights as the folder's plan holds them, computed by the gguf package."""
    out: Weights = {}
    for name, values in weights.items():
        kind = dtype
        if dtype == "q4_0" and ("embed" in name or "lm_head" in name):
            kind = "q8_0"
        if values.ndim == 1:
            kind = "f32"
        qtype = gguf.GGMLQuantizationType[kind.upper()]
        raw = gguf.quants.quantize(values, qtype)
        out[name] = gguf.quants.dequantize(raw, qtype).astype(np.float32)
    return out


@pytest.mark.parametrize("name", QUANTIZED_CONFIGS)
@pytest.mark.parametrize("dtype", ["bf16", "f16", "q8_0", "q4_0"])
def test_folder_in_each_format(
    dtype: str, name: str, tmp_path: Path, record_property: Any, quality_table: list[str]
) -> None:
    config = QUANTIZED_CONFIGS[name]
    source = trained_like_weights(config, 15)
    write_folder(tmp_path, config, dtype="f32", weights=source)
    model = load(tmp_path, dtype)
    tokens = random_tokens(model, LENGTH)
    expected = forward(reference_model(config, _dequantized(source, dtype)), tokens)
    label = f"{name} {dtype}"
    _assert_alike(label, our_logits(model, tokens), expected, record_property, quality_table)


@pytest.mark.parametrize("name", QUANTIZED_CONFIGS)
@pytest.mark.parametrize(
    ("dtype", "pure"),
    [("f16", False), ("bf16", False), ("q8_0", False), ("q4_0", False), ("q4_0", True)],
)
def test_gguf_in_each_format(
    dtype: str,
    pure: bool,
    name: str,
    tmp_path: Path,
    record_property: Any,
    quality_table: list[str],
) -> None:
    config = QUANTIZED_CONFIGS[name]
    path = tmp_path / "model.gguf"
    weights = write_gguf(
        path,
        config,
        dtype=dtype,
        pure=pure,
        vocabulary=False,
        weights=trained_like_weights(config, 16),
    )
    model = load(path)
    tokens = random_tokens(model, LENGTH)
    expected = forward(reference_model(config, weights), tokens)
    label = f"{name} gguf {dtype}{' pure' if pure else ''}"
    _assert_alike(label, our_logits(model, tokens), expected, record_property, quality_table)


# The two mixes are those of llama.cpp's Q4_K_M and Q3_K_M for a few layers.
SUPER_MIXES = {
    "q4_k_m": {"lm_head": "q6_k", "0.self_attn.v_proj": "q6_k", "0.mlp.down_proj": "q6_k"},
    "q3_k_m": {"lm_head": "q6_k", "v_proj": "q5_k", "o_proj": "q4_k", "down_proj": "q4_k"},
}
SUPER = random_config(hidden=256, layers=3, heads=4, kv_heads=2, intermediate=512, vocab=2000)


@pytest.mark.parametrize(
    "kind",
    ["q4_k_m", "q3_k_m", "q2_k", "q4_k", "q5_k", "q6_k", "q4_1", "q5_0", "q5_1", "iq4_nl"],
)
def test_gguf_of_blocks_with_parts(
    kind: str, tmp_path: Path, record_property: Any, quality_table: list[str]
) -> None:
    parts = SUPER_MIXES.get(kind, {})
    most = kind.removesuffix("_m")

    def format_of(name: str) -> str:
        return next((fmt for part, fmt in parts.items() if part in name), most)

    path = tmp_path / "model.gguf"
    source = trained_like_weights(SUPER, 17)
    weights = write_mixed_gguf(path, SUPER, format_of, weights=source)
    model = load(path)
    tokens = random_tokens(model, 100)
    expected = forward(reference_model(SUPER, weights), tokens)
    found = our_logits(model, tokens)
    _assert_alike(f"gguf {kind}", found, expected, record_property, quality_table)


def test_reference_would_notice(tmp_path: Path) -> None:
    """The bound fails for a model that differs in a single weight of a single bias."""
    config = CONFIGS["ratio-5-head-32"]
    weights = random_weights(config, 11)
    expected = forward(reference_model(config, weights), np.arange(50, dtype=np.int32))
    weights["model.layers.0.self_attn.v_proj.bias"][3] += 0.1
    write_folder(tmp_path, config, dtype="f32", weights=weights)
    found = our_logits(load(tmp_path, "f32"), np.arange(50, dtype=np.int32))
    assert np.abs(found - expected).max() > LOGIT_TOLERANCE * np.ptp(expected)
