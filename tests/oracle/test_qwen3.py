"""Qwen3 against transformers, from folders and GGUF files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ..checkpoints import random_config
from .agreement import assert_folder_agrees, assert_gguf_agrees

pytestmark = pytest.mark.oracle
pytest.importorskip("torch", reason="the oracle tests need the extra [oracle]: torch")
pytest.importorskip("transformers", reason="the oracle tests need the extra [oracle]: transformers")

YARN = {"factor": 4.0, "original_max_position_embeddings": 64}
CONFIGS: dict[str, dict[str, Any]] = {
    "ratio-1": random_config(arch="qwen3", hidden=64, heads=2, kv_heads=2, head_dim=32),
    "ratio-2-tied": random_config(
        arch="qwen3", hidden=128, heads=4, kv_heads=2, head_dim=64, tied=True
    ),
    "ratio-4": random_config(
        arch="qwen3", hidden=96, heads=4, kv_heads=1, head_dim=48, rms_norm_eps=1e-5
    ),
    "ratio-8-tied": random_config(
        arch="qwen3", hidden=160, heads=16, kv_heads=2, head_dim=128, layers=3, tied=True
    ),
    "off-grid": random_config(
        arch="qwen3", hidden=100, heads=3, kv_heads=3, head_dim=20, intermediate=77, vocab=1031
    ),
    "head-8": random_config(arch="qwen3", hidden=40, layers=3, heads=4, head_dim=8, tied=True),
    "head-80": random_config(arch="qwen3", hidden=128, heads=4, kv_heads=2, head_dim=80),
    "deep-theta": random_config(
        arch="qwen3", hidden=96, layers=6, heads=6, kv_heads=1, head_dim=32, rope_theta=1e6
    ),
    "head-size-left-out": random_config(arch="qwen3", hidden=64, heads=2, kv_heads=1),
    "yarn": random_config(arch="qwen3", head_dim=64, yarn=YARN),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_f32_folder(name: str, tmp_path: Path, record_property: Any) -> None:
    assert_folder_agrees(tmp_path, CONFIGS[name], record_property)


@pytest.mark.parametrize("name", CONFIGS)
def test_f32_gguf(name: str, tmp_path: Path, record_property: Any) -> None:
    assert_gguf_agrees(tmp_path, CONFIGS[name], record_property)
