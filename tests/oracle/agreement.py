"""Our logits of a random model of any architecture against those of transformers, in f32."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pyinfer.model.model import Model

from ..checkpoints import write_folder
from ..model.mixed_gguf import write_mixed_gguf
from ..model.steps import load, random_tokens, run_chunks, with_runtime
from .reference import Floats, forward, reference_model

LOGIT_TOLERANCE = 2e-4  # of the range of the logits
LENGTH = 200

Record = Callable[[str, object], None]


def our_logits(model: Model, tokens: np.ndarray) -> Floats:
    """In chunks of a prompt and then token by token, on three threads."""
    rows = run_chunks(with_runtime(model, 3), tokens, [len(tokens) - 40, 30, 7, 1])
    assert all(row.finite for row in rows)
    return np.stack([row.full for row in rows])


def assert_close(found: Floats, expected: Floats, record: Record) -> None:
    """No logit is further off than the tolerance; the largest error is recorded."""
    assert found.shape == expected.shape
    error = float(np.abs(found - expected).max() / np.ptp(expected))
    record("error_of_range", error)
    assert error <= LOGIT_TOLERANCE


def assert_folder_agrees(
    path: Path, config: Mapping[str, Any], record: Record, shards: int = 1
) -> None:
    """Write an f32 folder and compare its logits."""
    weights = write_folder(path, config, seed=11, dtype="f32", shards=shards)
    model = load(path, "f32")
    tokens = random_tokens(model, LENGTH)
    expected = forward(reference_model(config, weights), tokens)
    assert_close(our_logits(model, tokens), expected, record)


def assert_gguf_agrees(
    path: Path, config: Mapping[str, Any], record: Record, version: int = 3
) -> None:
    """Write an f32 GGUF file and compare its logits."""
    file = path / "model.gguf"
    weights = write_mixed_gguf(file, config, lambda _: "f32", seed=13, version=version)
    model = load(file)
    tokens = random_tokens(model, LENGTH)
    expected = forward(reference_model(config, weights), tokens)
    assert_close(our_logits(model, tokens), expected, record)
