"""Rows that nobody reads are left out behind the last layer's keys and values: nothing changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyinfer._kernels.runtime import available_isas
from pyinfer.model.model import Model
from pyinfer.model.step import LOGITS_ALL, LOGITS_LAST, LOGITS_NONE, Span

from ..checkpoints import random_config, write_folder
from .steps import load, random_tokens, table, with_runtime

CONFIG = random_config(
    hidden=96, layers=2, heads=4, kv_heads=2, head_dim=24, intermediate=160, vocab=300
)
# Tokens and wanted rows of each sequence in a step: prompts, parts of prompts, single tokens.
STEPS = [
    [(70, LOGITS_NONE), (33, LOGITS_LAST), (9, LOGITS_ALL), (1, LOGITS_NONE), (1, LOGITS_LAST)],
    [(20, LOGITS_LAST), (1, LOGITS_NONE), (12, LOGITS_NONE), (30, LOGITS_ALL), (1, LOGITS_ALL)],
    [(1, LOGITS_LAST), (1, LOGITS_NONE), (1, LOGITS_LAST), (1, LOGITS_NONE), (1, LOGITS_ALL)],
    [(17, LOGITS_NONE)],
    [(1, LOGITS_LAST), (1, LOGITS_LAST)],
]


@pytest.fixture(scope="module", params=["f32", "q8_0", "q4_0"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A small model of each kind of arithmetic."""
    path: Path = tmp_path_factory.mktemp("kept")
    write_folder(path, CONFIG, 1, "f32")
    return load(path, request.param)


def logits(model: Model, lengths: list[int]) -> list[np.ndarray]:
    """Of every position of every sequence, each evaluated alone with all its rows."""
    return [model.logits(random_tokens(model, n, s), table(model, s))
            for s, n in enumerate(lengths)]  # fmt: skip


def totals() -> list[int]:
    """Tokens of each sequence after all steps."""
    found = [0] * 5
    for step in STEPS:
        for s, (count, _) in enumerate(step):
            found[s] += count
    return found


def check_all_steps(model: Model, expected: list[np.ndarray]) -> None:
    """Run the steps; every row that is wanted has its expected logits, and no other comes."""
    done = [0] * 5
    for step in STEPS:
        spans, wanted = [], []
        for s, (count, rows) in enumerate(step):
            tokens = random_tokens(model, len(expected[s]), s)[done[s] : done[s] + count]
            spans.append(Span(tokens, done[s], table(model, s), rows))
            done[s] += count
            kept = {LOGITS_NONE: 0, LOGITS_LAST: 1, LOGITS_ALL: count}[rows]
            wanted += [expected[s][position] for position in range(done[s] - kept, done[s])]
        found = model.step(spans)
        assert len(found) == len(wanted)
        for row, values in zip(found, wanted, strict=True):
            assert row.full.tobytes() == values.tobytes()


@pytest.mark.parametrize("threads", [1, 3])
def test_wanted_rows_do_not_depend_on_what_is_left_out(model: Model, threads: int) -> None:
    expected = logits(with_runtime(model, sequences=5), totals())
    for isa in available_isas():
        check_all_steps(with_runtime(model, threads, isa, sequences=5), expected)


def test_long_contexts_are_split_over_workers(tmp_path: Path) -> None:
    config = random_config(hidden=64, layers=1, heads=2, kv_heads=1, head_dim=32, vocab=300)
    write_folder(tmp_path, config, 2, "f32")
    loaded = load(tmp_path, "f32")
    twin = with_runtime(loaded, 3)
    tokens, other = random_tokens(twin, 1300, 0), random_tokens(twin, 3, 1)
    expected = twin.logits(tokens, table(twin, 0))
    for start in range(0, 1299, 500):
        part = tokens[start : min(start + 500, 1299)]
        assert twin.step([Span(part, start, table(twin, 0), LOGITS_NONE)]) == []
    spans = [  # one row is attended for in three segments, the other is left out
        Span(other[:1], 0, table(twin, 1), LOGITS_NONE),
        Span(tokens[1299:], 1299, table(twin, 0), LOGITS_LAST),
    ]
    (row,) = twin.step(spans)
    assert row.full.tobytes() == expected[-1].tobytes()


def test_an_eager_step_leaves_out_the_same_rows(model: Model) -> None:
    twin = with_runtime(model, 2)
    tokens = random_tokens(twin, 40, 0)
    expected = twin.logits(tokens, table(twin))
    (row,) = twin.step_eager([Span(tokens, 0, table(twin), LOGITS_LAST)])
    assert row.full.tobytes() == expected[-1].tobytes()
