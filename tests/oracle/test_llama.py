"""Llama against transformers, from folders and GGUF files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ..checkpoints import random_config
from .agreement import assert_folder_agrees, assert_gguf_agrees

pytestmark = pytest.mark.oracle
pytest.importorskip("torch", reason="the oracle tests need the extra [oracle]: torch")
pytest.importorskip("transformers", reason="the oracle tests need the extra [oracle]: transformers")

LLAMA3 = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def _config(**options: Any) -> dict[str, Any]:
    return random_config(arch="llama", **options)


CONFIGS: dict[str, dict[str, Any]] = {
    "ratio-1": _config(hidden=64, heads=2, kv_heads=2, head_dim=32),
    "ratio-2-tied": _config(hidden=128, heads=4, kv_heads=2, head_dim=64, tied=True),
    "ratio-4-as-8b": _config(
        hidden=256, heads=8, kv_heads=2, rope_theta=5e5, rms_norm_eps=1e-5, llama3=LLAMA3
    ),
    "ratio-8-as-70b": _config(
        hidden=256, heads=16, kv_heads=2, layers=4, rope_theta=5e5, rms_norm_eps=1e-5, llama3=LLAMA3
    ),
    "off-grid": _config(
        hidden=102, heads=3, kv_heads=3, head_dim=20, intermediate=77, vocab=1031, layers=3
    ),
    "head-8-tied": _config(hidden=40, layers=3, heads=4, head_dim=8, tied=True),
    "head-80": _config(hidden=128, heads=4, kv_heads=2, head_dim=80, llama3=LLAMA3),
    "head-128-factor-32": _config(
        heads=4, kv_heads=1, head_dim=128, rope_theta=5e5, llama3=LLAMA3 | {"factor": 32.0}
    ),
    "narrow-band": _config(
        head_dim=64, llama3=LLAMA3 | {"low_freq_factor": 0.5, "high_freq_factor": 0.75}
    ),
    "yarn": _config(head_dim=64, yarn={"factor": 4.0, "original_max_position_embeddings": 64}),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_f32_folder(name: str, tmp_path: Path, record_property: Any) -> None:
    assert_folder_agrees(tmp_path, CONFIGS[name], record_property)


@pytest.mark.parametrize("name", CONFIGS)
def test_f32_gguf(name: str, tmp_path: Path, record_property: Any) -> None:
    assert_gguf_agrees(tmp_path, CONFIGS[name], record_property)
