"""The stepper drives a model as its name says: which tokens at which positions, in which steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import load_model
from pyinfer.diagnose.stepping import Stepper
from pyinfer.model.model import Model
from pyinfer.model.step import LOGITS_LAST, Span

from ..checkpoints import random_config, write_folder


class Watched:
    """A model that notes its steps."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.steps: list[list[tuple[int, int, int]]] = []  # (start, tokens, logits) per span

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def step(self, spans: Any) -> Any:
        self.steps.append([(span.start, len(span.tokens), span.logits) for span in spans])
        return self._model.step(spans)


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Watched]:
    write_folder(tmp_path / "model", random_config())
    loaded = load_model(tmp_path / "model", LoadOptions(threads=1, ctx_size=2048))
    yield Watched(loaded.model)
    loaded.model.close()


def test_prompt_in_steps(model: Watched) -> None:
    stepper = Stepper(model)  # type: ignore[arg-type]
    assert stepper.prompt(700) > 0
    assert model.steps == [[(0, 512, 0)], [(512, 188, 1)]]


def test_decode_after_a_depth(model: Watched) -> None:
    stepper = Stepper(model)  # type: ignore[arg-type]
    assert stepper.decode(2, depth=100) > 0
    assert model.steps == [[(0, 100, 1)], [(100, 1, 1)], [(101, 1, 1)]]
    model.steps.clear()
    stepper.decode(1, depth=64)  # is cached already
    assert model.steps == [[(64, 1, 1)]]


def test_sequences_share_the_pool(model: Watched) -> None:
    stepper = Stepper(model, 4)  # type: ignore[arg-type]
    assert stepper.chunk == 128
    assert stepper.room == model.n_blocks // 4 * 64
    stepper.prompt(200)
    assert model.steps == [[(0, 128, 0)] * 4, [(128, 72, 1)] * 4]


def test_a_long_context_is_copied(model: Watched) -> None:
    """Every block of the depth holds the bytes of an evaluated one: nothing stays empty."""
    stepper = Stepper(model)  # type: ignore[arg-type]
    stepper.decode(1, depth=1100)
    assert model.steps == [[(0, 512, 1)], [(1100, 1, 1)]]
    copied = [_answer(model, block) for block in range(18)]
    assert copied[8:17] == [*copied[:8], copied[0]]
    assert 0.0 not in copied[:17]


def _answer(model: Watched, block: int) -> float:
    """A figure of what block ``block`` caches: the answer of one query that sees it alone."""
    span = Span(np.array([5], np.int32), 63, np.array([block], np.int32), LOGITS_LAST)
    return float(model.step([span])[0].full.astype(np.float64).sum())
