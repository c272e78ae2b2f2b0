"""Divergence against its formula in double precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.errors import ModelUnsupportedError
from pyinfer.eval.divergence import Divergence, compare
from pyinfer.eval.logits_file import LogitsReader, LogitsWriter, Shape
from pyinfer.eval.perplexity import score
from pyinfer.eval.subject import Subject
from pyinfer.eval.windows import second_halves, text_tokens

N_CTX = 64
# What the embedded model says, so that no token is less likely than the saved range reaches.
TEXT = (
    "<｜User｜>What is 12 + 30?<｜Assistant｜><think>\nAdding from the right:\n12+30\n2+0+0=02\n"
    "1+3+0=04\nTogether 042\n</think>\n\n12 + 30 = 42.<｜end▁of▁sentence｜>"
) * 12


def log_softmax(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return (
        rows
        - np.log(np.exp(rows - rows.max(1, keepdims=True)).sum(1, keepdims=True))
        - rows.max(1, keepdims=True)
    )


def test_formulas() -> None:
    rng = np.random.default_rng(1)
    p, q = rng.normal(0, 3, (2, 50, 7)).astype(np.float32)
    q[:30] = p[:30] + rng.normal(0, 0.1, (30, 7))
    targets = rng.integers(0, 7, 50).astype(np.int32)
    log_p, log_q = log_softmax(p), log_softmax(q)
    found = Divergence()
    for part in (slice(0, 20), slice(20, 50)):
        found.add(q[part], log_p[part].astype(np.float32), targets[part])
    kl = (np.exp(log_p) * (log_p - log_q)).sum(axis=1)
    mean, error = found.mean_kl()
    assert mean == pytest.approx(kl.mean(), rel=1e-4)
    assert error == pytest.approx(kl.std() / 7, rel=1e-4)
    share, _ = found.top_agreement()
    assert share == np.mean(p.argmax(1) == q.argmax(1))
    rows = np.arange(50)
    ratio = (log_p - log_q)[rows, targets].mean()
    assert found.log_ratio() == pytest.approx(ratio, rel=1e-4)
    shift = np.exp(log_q[rows, targets]) - np.exp(log_p[rows, targets])
    assert found.rms_shift() == pytest.approx(np.sqrt((shift**2).mean()), rel=1e-4)
    percentiles = found.percentiles()
    assert percentiles["max"] == pytest.approx(kl.max(), rel=1e-4)
    assert percentiles["50%"] == pytest.approx(np.median(kl), rel=1e-3, abs=1e-7)
    assert found.count == 50


def save(subject: Subject, path: Path) -> int:
    tokens = text_tokens(subject.tokenizer, TEXT, special=True)
    rows = tokens[: 4 * N_CTX].reshape(4, N_CTX)
    writer = LogitsWriter(path, Shape(N_CTX, 512, 4), rows.reshape(-1))
    with writer.file:
        count = score(
            subject.model, second_halves(rows, subject.tokenizer.bos_id), keep=writer.add
        ).count
        writer.file.publish()
    return count


def test_a_model_against_itself_and_coarser_ones(tmp_path: Path) -> None:
    means = {}
    for dtype in ("f32", "q8_0", "q4_0"):
        with Subject(None, LoadOptions(ctx_size=N_CTX, dtype=dtype, threads=1)) as subject:
            if dtype == "f32":
                count = save(subject, tmp_path / "base")
            with LogitsReader(tmp_path / "base") as base:
                windows = second_halves(base.tokens, subject.tokenizer.bos_id)
                found = compare(subject.model, windows, base)
        assert found.count == count
        means[dtype] = found.mean_kl()[0]
        if dtype == "f32":
            assert found.top_agreement()[0] == 1
            assert abs(found.log_ratio()) < 1e-4
    assert abs(means["f32"]) < 1e-6 < means["q4_0"] < 1
    assert means["q8_0"] < means["q4_0"]


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    shape = Shape(4, 511, 1)
    writer = LogitsWriter(tmp_path / "base", shape, np.zeros(4, np.int32))
    with writer.file:
        writer.add(np.zeros((1, 511), np.float32))
        writer.file.publish()
    with (
        Subject(None, LoadOptions(ctx_size=N_CTX, threads=1)) as subject,
        LogitsReader(tmp_path / "base") as base,
        pytest.raises(ModelUnsupportedError, match="511 ids, this model one of 512"),
    ):
        compare(subject.model, [], base)
