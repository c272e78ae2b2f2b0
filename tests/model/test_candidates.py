"""Candidates and log-sum-exp of a step against a full sort and a float64 sum in NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyinfer._kernels.runtime import available_isas
from pyinfer.errors import PyinferError
from pyinfer.model.model import Model
from pyinfer.model.registry import architecture
from pyinfer.model.step import LOGITS_ALL, LOGITS_LAST, LOGITS_NONE, Span

from ..checkpoints import Weights, random_config, random_weights, write_folder
from .steps import (
    Row,
    assert_same_bits,
    load,
    random_tokens,
    run_chunks,
    run_spans,
    table,
    with_runtime,
)

VOCAB = 2500  # three head chunks of 1,024 rows, the last one short
CONFIG = random_config(hidden=64, layers=1, vocab=VOCAB)


def _weights() -> Weights:
    """Repeated head rows make exact ties of logits, within and across chunks."""
    weights = random_weights(CONFIG, 4)
    head = weights["lm_head.weight"]
    head[1200:1300] = head[100:200]
    head[2400:2450] = head[100:150]
    head[7:60] = head[6]
    return weights


@pytest.fixture(scope="module", params=available_isas())
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model with tied logits, at each level."""
    path = tmp_path_factory.mktemp("candidates")
    write_folder(path, CONFIG, dtype="f32", weights=_weights())
    return with_runtime(load(path, "f32"), 3, request.param)


def _check(row: Row, n_valid: int) -> None:
    valid = row.full[:n_valid]
    order = np.lexsort((np.arange(n_valid), -valid.astype(np.float64)))[: len(row.ids)]
    np.testing.assert_array_equal(row.ids, order)
    np.testing.assert_array_equal(row.values, valid[order])
    top = float(valid.max())
    exact = top + np.log(np.sum(np.exp(valid.astype(np.float64) - top)))
    assert row.log_sum_exp == pytest.approx(exact, rel=1e-6, abs=1e-5)
    assert row.finite


@pytest.mark.parametrize("n_valid", [VOCAB, 2449, 2048, 1025, 1024, 1023, 129, 128, 127, 8, 1])
def test_sorted_and_valid_only(model: Model, n_valid: int) -> None:
    model.n_valid = n_valid
    rows = run_chunks(model, random_tokens(model, 12), [9, 1])
    for row in rows:
        assert len(row.ids) == min(n_valid, model.limits.n_candidates)
        assert row.full.shape == (VOCAB,)
        _check(row, n_valid)


def test_ties_exist(model: Model) -> None:
    model.n_valid = VOCAB
    rows = run_chunks(model, random_tokens(model, 40), [40])
    assert any(len(np.unique(row.values)) < len(row.values) for row in rows)


def test_eager_sees_the_same_vocabulary(model: Model) -> None:
    model.n_valid = 1100
    span = Span(random_tokens(model, 10), 0, table(model), LOGITS_ALL)
    eager = [Row.of(row) for row in model.step_eager([span])]
    assert_same_bits(eager, run_spans(model, [span]))
    assert max(int(row.ids.max()) for row in eager) < 1100


@pytest.mark.parametrize("n_valid", [0, VOCAB + 1, -1])
def test_valid_ids_out_of_range(model: Model, n_valid: int) -> None:
    with pytest.raises(ValueError, match="valid ids"):
        model.n_valid = n_valid


def test_wanted_rows(model: Model) -> None:
    model.n_valid = VOCAB
    tokens = random_tokens(model, 20)
    every = run_chunks(model, tokens, [20])
    spans = [
        Span(tokens[:6], 0, table(model, 0), LOGITS_NONE),
        Span(tokens[:7], 0, table(model, 1), LOGITS_LAST),
        Span(tokens[:2], 0, table(model, 2), LOGITS_ALL),
    ]
    assert_same_bits(run_spans(model, spans), [every[6], every[0], every[1]])
    assert run_spans(model, spans[:1]) == []


@pytest.mark.parametrize(
    ("token", "start", "block", "what"),
    [
        (VOCAB, 0, 0, "token id"),
        (-1, 0, 0, "token id"),
        (0, 1536, 0, "context"),
        (0, 2**64 - 1, 0, "context"),
        (0, 64, 0, "blocks"),
        (0, 0, -1, "block"),
        (0, 0, 10**6, "block"),
    ],
)
def test_wrong_spans(model: Model, token: int, start: int, block: int, what: str) -> None:
    span = Span(np.array([token], np.int32), start, np.array([block], np.int32), LOGITS_LAST)
    with pytest.raises(ValueError, match=what):
        model.step([span])


def test_empty_and_too_long_steps(model: Model) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        model.step([])
    empty = Span(np.empty(0, np.int32), 0, table(model), LOGITS_LAST)
    with pytest.raises(ValueError, match="a step holds"):
        model.step([empty])
    half = Span(np.zeros(800, np.int32), 0, table(model), LOGITS_LAST)
    with pytest.raises(ValueError, match="a step holds"):
        model.step([half, Span(half.tokens, 0, table(model, 1), LOGITS_LAST)])


@pytest.mark.parametrize("second", [(5, 1), (5, 3), (70, 1), (4, 1)])
def test_one_sequence_is_one_span_of_a_step(model: Model, second: tuple[int, int]) -> None:
    """Nothing orders the rows of a step: another span may not read a block that is written."""
    start, n = second
    one = Span(np.array([3], np.int32), 4, table(model), LOGITS_LAST)
    two = Span(np.arange(n, dtype=np.int32), start, table(model), LOGITS_LAST)
    for spans in ([one, two], [two, one]):
        with pytest.raises(ValueError, match="written by another span"):
            model.step(spans)
    other = Span(np.array([3], np.int32), 4, table(model, 1), LOGITS_LAST)
    assert len(model.step([one, other])) == 2


def test_a_shared_prefix_may_be_read_by_many(model: Model) -> None:
    shared = table(model)
    own = np.concatenate((shared[:1], table(model, 1)[1:]))
    spans = [Span(np.array([3], np.int32), 64, blocks, LOGITS_LAST) for blocks in (shared, own)]
    assert len(model.step(spans)) == 2


def test_limits_of_a_loaded_model(tmp_path: Path) -> None:
    write_folder(tmp_path, CONFIG, dtype="f32", weights=_weights())
    model = load(tmp_path)
    blocks = np.arange(4, dtype=np.int32)
    with pytest.raises(ValueError, match="logits of at most 32"):
        model.step([Span(np.zeros(33, np.int32), 0, blocks, LOGITS_ALL)])
    logits = model.logits(random_tokens(model, 70), blocks)
    assert logits.shape == (70, VOCAB)
    whole = run_chunks(with_runtime(model), random_tokens(model, 70), [70])
    assert logits.tobytes() == b"".join(row.full.tobytes() for row in whole)
    model.close()
    model.close()


def test_unknown_architecture_is_refused() -> None:
    with pytest.raises(PyinferError, match="does not run"):
        architecture("gpt2")
