"""The final hidden state: the same bits whatever computes it, and what the head multiplies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyinfer._kernels.runtime import available_isas
from pyinfer.model.model import Model
from pyinfer.model.step import LOGITS_ALL, LOGITS_LAST, LOGITS_NONE, Span

from ..checkpoints import random_config, write_folder
from .steps import Floats, load, random_tokens, run_chunks, table, with_runtime

CONFIG = random_config(
    hidden=72, layers=2, heads=3, kv_heads=1, head_dim=24, intermediate=200, vocab=311
)
PROMPT = 100


@pytest.fixture(scope="module", params=["f32", "q8_0"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A small model of each kind of arithmetic."""
    path: Path = tmp_path_factory.mktemp("hidden")
    write_folder(path, CONFIG, 1, "f32")
    return load(path, request.param)


def hidden(model: Model, tokens: np.ndarray, sizes: list[int]) -> Floats:
    """Of the last token, with the prompt in steps of these sizes."""
    start = 0
    for size in sizes:
        part = tokens[start : start + size]
        model.step([Span(part, start, table(model), LOGITS_NONE, keep=LOGITS_LAST)])
        start += size
    assert start == len(tokens)
    return model.hidden(sizes[-1] - 1)


def test_chunks_threads_and_isas(model: Model) -> None:
    tokens = random_tokens(model, PROMPT)
    expected = hidden(with_runtime(model), tokens, [PROMPT])
    assert expected.shape == (72,)
    assert np.ptp(expected) > 0.1
    twin = with_runtime(model, 3)
    for sizes in ([99, 1], [50, 30, 13, 7], [1] * PROMPT):
        assert hidden(twin, tokens, sizes).tobytes() == expected.tobytes()
    for isa in available_isas():
        assert hidden(with_runtime(model, 2, isa), tokens, [60, 40]).tobytes() == expected.tobytes()


def test_rows_of_several_sequences(model: Model) -> None:
    twin = with_runtime(model, 2)
    first, second = random_tokens(model, 40, 1), random_tokens(model, 25, 2)
    alone = hidden(twin, first, [40]), hidden(twin, second, [25])
    spans = [
        Span(first, 0, table(twin), LOGITS_NONE, keep=LOGITS_LAST),
        Span(second, 0, table(twin, 1), LOGITS_NONE, keep=LOGITS_ALL),
    ]
    twin.step(spans)
    assert twin.hidden(39).tobytes() == alone[0].tobytes()
    assert twin.hidden(64).tobytes() == alone[1].tobytes()
    for row in (65, 38):  # no such token; one that was left out
        with pytest.raises(ValueError, match=f"row {row} is not among the 26 kept rows"):
            twin.hidden(row)


def test_the_head_multiplies_it(tmp_path: Path) -> None:
    weights = write_folder(tmp_path, CONFIG, 3, "f32")
    twin = with_runtime(load(tmp_path, "f32"))
    tokens = random_tokens(twin, 30)
    logits = run_chunks(twin, tokens, [30])[-1].full
    found = weights["lm_head.weight"].astype(np.float64) @ twin.hidden(29)
    assert np.abs(found - logits).max() <= 1e-5 * np.ptp(logits)
