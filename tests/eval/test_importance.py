"""Importance of inputs against plain NumPy on the weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.errors import NumericError
from pyinfer.eval.importance import collect, matrices_by_input
from pyinfer.eval.subject import Subject

from ..checkpoints import random_config, random_weights, write_folder

CONFIG = random_config(hidden=48, intermediate=80, head_dim=12)
WINDOWS = [np.arange(5, 45, dtype=np.int32), np.arange(100, 130, dtype=np.int32)]


def norm(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-6) * weight


def test_matrices_share_inputs_as_in_the_graph() -> None:
    with Subject(None, LoadOptions(ctx_size=8, threads=1)) as subject:
        calls = matrices_by_input(subject.model.config)
    assert calls[:4] == [
        ("blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"),
        ("blk.0.attn_output.weight",),
        ("blk.0.ffn_gate.weight", "blk.0.ffn_up.weight"),
        ("blk.0.ffn_down.weight",),
    ]
    assert calls[-1] == ("output.weight",)
    assert len(calls) == 4 * 4 + 1


def test_first_inputs_by_hand(tmp_path: Path) -> None:
    weights = write_folder(tmp_path, CONFIG, dtype="f32")
    with Subject(tmp_path, LoadOptions(ctx_size=64, dtype="f32", threads=2)) as subject:
        seen: list[int] = []
        found = collect(subject.model, WINDOWS, report=seen.append)
        whole = collect(subject.model, WINDOWS, with_head=True)
    assert seen == [1, 2]
    assert found.tokens == 70
    assert found.squares.keys() == whole.squares.keys() - {"output.weight"}
    tokens = np.concatenate(WINDOWS)
    rows = weights["model.embed_tokens.weight"][tokens].astype(np.float64)
    first = norm(rows, weights["model.layers.0.input_layernorm.weight"])
    for name in ("attn_q", "attn_k", "attn_v"):
        sums = found.squares[f"blk.0.{name}.weight"]
        assert sums == pytest.approx((first**2).sum(axis=0), rel=1e-5)
    assert found.means()["blk.0.attn_q.weight"] == pytest.approx((first**2).mean(axis=0), rel=1e-5)
    assert found.squares["blk.1.ffn_down.weight"].shape == (80,)
    assert found.squares["blk.1.attn_output.weight"].shape == (48,)


def test_the_last_input_follows_from_the_logits(tmp_path: Path) -> None:
    """With an identity as output matrix, its inputs are the logits."""
    config = random_config(hidden=320, heads=4, intermediate=64)
    weights = random_weights(config) | {"lm_head.weight": np.eye(320, dtype=np.float32)}
    write_folder(tmp_path, config, dtype="f32", weights=weights)
    with Subject(tmp_path, LoadOptions(ctx_size=64, dtype="f32", threads=1)) as subject:
        found = collect(subject.model, WINDOWS, with_head=True)
        blocks = np.zeros(1, np.int32)
        rows = np.concatenate([subject.model.logits(w, blocks) for w in WINDOWS])
    expected = (rows.astype(np.float64) ** 2).sum(axis=0)
    assert found.squares["output.weight"] == pytest.approx(expected, rel=1e-4)


def test_steps_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path, CONFIG, dtype="f32")
    with Subject(tmp_path, LoadOptions(ctx_size=64, dtype="f32", threads=1)) as subject:
        whole = collect(subject.model, WINDOWS)
        monkeypatch.setattr(type(subject.model), "max_step_tokens", 7)
        parts = collect(subject.model, WINDOWS)
    for name, sums in whole.squares.items():
        assert parts.squares[name] == pytest.approx(sums, rel=1e-12)


def test_nan_is_an_error(tmp_path: Path) -> None:
    weights = random_weights(CONFIG)
    weights["model.layers.1.input_layernorm.weight"][3] = np.nan
    write_folder(tmp_path, CONFIG, dtype="f32", weights=weights)
    with (
        Subject(tmp_path, LoadOptions(ctx_size=64, dtype="f32", threads=1)) as subject,
        pytest.raises(NumericError, match=r"blk\.1\.attn_q"),
    ):
        collect(subject.model, WINDOWS)
