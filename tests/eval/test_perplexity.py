"""Perplexity against its formula over the logits of the whole sequence."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

import pyinfer
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.errors import NumericError
from pyinfer.eval.perplexity import Estimate, negative_log_likelihood, score, window_logits
from pyinfer.eval.subject import Subject
from pyinfer.eval.windows import halves, strided, text_tokens

N_CTX = 100  # no multiple of a step or block
TEXT = "<｜User｜>What is 12 + 30?<｜Assistant｜><think>\n2+0=02\n</think>\n\n42" * 12


@pytest.fixture(scope="module")
def subject() -> Iterator[Subject]:
    with Subject(None, LoadOptions(ctx_size=N_CTX + 20, dtype="f32", threads=1)) as subject:
        yield subject


def losses(tokens: list[int], positions: range, targets: list[int]) -> list[float]:
    """-log p in double precision, from the logits of the public surface."""
    with pyinfer.load(dtype="f32", threads=1, ctx_size=N_CTX + 20) as llm:
        rows = llm.logits(tokens).astype(np.float64)[list(positions)]
    return [
        float(np.log(np.exp(row).sum()) - row[target])
        for row, target in zip(rows, targets, strict=True)
    ]


def test_perplexity_is_its_formula(subject: Subject) -> None:
    tokens = text_tokens(subject.tokenizer, TEXT, special=True)
    bos = subject.tokenizer.bos_id
    seen: list[tuple[int, int]] = []
    estimate = score(
        subject.model, halves(tokens, N_CTX, bos), lambda done, now: seen.append((done, now.count))
    )
    expected: list[float] = []
    for i in range(len(tokens) // N_CTX):
        window = tokens[i * N_CTX : (i + 1) * N_CTX].tolist()
        assert bos is not None
        expected += losses([bos, *window[1:]], range(N_CTX // 2, N_CTX - 1), window[51:])
    mean, deviation = np.mean(expected), np.std(expected)
    assert estimate.count == len(expected) == 49 * (len(tokens) // N_CTX)
    assert estimate.perplexity == pytest.approx(math.exp(mean), rel=1e-5)
    error = deviation / math.sqrt(len(expected) - 1)
    assert estimate.error == pytest.approx(math.exp(mean) * error, rel=1e-4)
    assert seen == [(i + 1, 49 * (i + 1)) for i in range(len(tokens) // N_CTX)]


def test_strided_perplexity_is_its_formula(subject: Subject) -> None:
    tokens = text_tokens(subject.tokenizer, TEXT, special=True)
    estimate = score(subject.model, strided(tokens, N_CTX, 40, 2))
    expected: list[float] = []
    for i in range(2):
        window = tokens[40 * i : 40 * i + 120].tolist()
        expected += losses(window, range(79, 119), window[80:])
    assert estimate.count == 80
    assert estimate.mean == pytest.approx(np.mean(expected), rel=1e-5)


def test_logits_come_in_order(subject: Subject) -> None:
    tokens = text_tokens(subject.tokenizer, TEXT, special=True)
    (window,) = halves(tokens, N_CTX, None, 1)
    rows = np.concatenate(list(window_logits(subject.model, window)))
    with pyinfer.load(dtype="f32", threads=1, ctx_size=N_CTX) as llm:
        assert np.array_equal(rows, llm.logits(window.tokens)[50:99])


def test_all_ids_count() -> None:
    logits = np.array([[1000.0, 0.0, 0.0], [-5.0, -5.0, -5.0]], np.float32)
    found = negative_log_likelihood(logits, np.array([1, 2], np.int32))
    assert found == pytest.approx([1000.0, math.log(3)])


def test_estimates_are_sums() -> None:
    values = np.array([0.5, 1.5, 4.0, 0.25])
    parts = Estimate()
    parts.add(values[:1])
    assert (parts.perplexity, parts.error) == (pytest.approx(math.exp(0.5)), 0.0)
    parts.add(values[1:])
    assert parts.mean == pytest.approx(values.mean())
    assert parts.mean_error == pytest.approx(values.std() / math.sqrt(3))


def test_nan_is_an_error(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = text_tokens(subject.tokenizer, TEXT, special=True)
    (window,) = halves(tokens, N_CTX, None, 1)
    bad = type("Row", (), {"finite": False, "full": np.zeros(512, np.float32)})
    monkeypatch.setattr(subject.model, "step", lambda spans: [bad()])
    with pytest.raises(NumericError, match="position 50"):
        next(window_logits(subject.model, window))
