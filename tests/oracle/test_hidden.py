"""Our final hidden states against transformers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyinfer.model.step import LOGITS_LAST, LOGITS_NONE, Span

from ..checkpoints import random_config, write_folder
from ..model.steps import load, random_tokens, table, with_runtime
from .reference import reference_model

pytestmark = pytest.mark.oracle
pytest.importorskip("torch", reason="the oracle tests need the extra [oracle]: torch")
pytest.importorskip("transformers", reason="the oracle tests need the extra [oracle]: transformers")


def test_last_token(tmp_path: Path, record_property: Any) -> None:
    import torch

    config = random_config(hidden=160, heads=5, kv_heads=1, head_dim=32)
    weights = write_folder(tmp_path, config, seed=21, dtype="f32")
    model = with_runtime(load(tmp_path, "f32"), 2)
    tokens = random_tokens(model, 120)
    model.step([Span(tokens[:70], 0, table(model), LOGITS_NONE)])
    model.step([Span(tokens[70:], 70, table(model), LOGITS_NONE, keep=LOGITS_LAST)])
    found = model.hidden(49)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        ids = torch.from_numpy(tokens.astype(np.int64))[None]
        expected = reference_model(config, weights).model(ids).last_hidden_state[0, -1].numpy()
    error = float(np.abs(found - expected).max() / np.ptp(expected))
    record_property("error_of_range", error)
    assert error <= 1e-4
