"""NaN and Inf in any tensor: seen in the rows they reach, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyinfer._kernels.runtime import available_isas
from pyinfer.model.model import Model
from pyinfer.model.step import LOGITS_ALL, Span

from ..checkpoints import Weights, random_config, random_weights, write_folder
from .steps import (
    Ints,
    assert_same_bits,
    load,
    random_tokens,
    run_chunks,
    run_spans,
    table,
    with_runtime,
)

CONFIG = random_config(hidden=64, layers=2, heads=4, kv_heads=2, intermediate=96, vocab=320)
TENSORS = (
    "model.embed_tokens.weight",
    "model.layers.1.input_layernorm.weight",
    "model.layers.0.self_attn.q_proj.weight",
    "model.layers.0.self_attn.q_proj.bias",
    "model.layers.1.self_attn.k_proj.weight",
    "model.layers.0.self_attn.k_proj.bias",
    "model.layers.0.self_attn.v_proj.weight",
    "model.layers.1.self_attn.v_proj.bias",
    "model.layers.1.self_attn.o_proj.weight",
    "model.layers.1.post_attention_layernorm.weight",
    "model.layers.0.mlp.gate_proj.weight",
    "model.layers.1.mlp.up_proj.weight",
    "model.layers.0.mlp.down_proj.weight",
    "model.norm.weight",
    "lm_head.weight",
)
FORMATS = ("f32", "f16", "bf16", "q8_0", "q4_0")
POISONED_ROW = 5  # of the embedding and the head


def _poisoned(name: str, value: float) -> Weights:
    weights = random_weights(CONFIG, 6)
    tensor = weights[name]
    tensor[(POISONED_ROW, 3) if tensor.ndim == 2 else 3] = value
    return weights


def _model(path: Path, weights: Weights, dtype: str, isa: str | None = None) -> Model:
    write_folder(path, CONFIG, dtype="f32", weights=weights)
    return with_runtime(load(path, dtype), 2, isa)


def _healthy(model: Model, count: int) -> Ints:
    tokens = random_tokens(model, count)
    tokens[tokens == POISONED_ROW] = POISONED_ROW + 1
    return tokens


@pytest.fixture(scope="module", params=FORMATS)
def clean(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A healthy model of each format."""
    path = tmp_path_factory.mktemp("clean")
    return _model(path, random_weights(CONFIG, 6), request.param)


@pytest.mark.parametrize("name", TENSORS)
def test_every_tensor(
    clean: Model, request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    dtype = request.node.callspec.params["clean"]
    sick = _model(tmp_path, _poisoned(name, np.nan), dtype)
    tokens = _healthy(clean, 20)
    tokens[11] = POISONED_ROW
    before = run_chunks(clean, tokens, [12, 1])
    rows = run_chunks(sick, tokens, [12, 1])
    affected = range(11, 20) if "embed" in name else range(20)
    assert [i for i, row in enumerate(rows) if not row.finite] == list(affected)
    assert all(len(row.ids) == 0 for row in rows if not row.finite)
    # What the sick rows did not reach has the usual bits, and so has another model afterwards.
    untouched = [i for i in range(20) if i not in affected]
    assert_same_bits([rows[i] for i in untouched], [before[i] for i in untouched])
    assert_same_bits(run_chunks(clean, tokens, [12, 1]), before)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("name", ["model.embed_tokens.weight", "lm_head.weight"])
def test_infinity(tmp_path: Path, name: str, value: float) -> None:
    sick = _model(tmp_path, _poisoned(name, value), "f32")
    tokens = np.full(9, POISONED_ROW, np.int32)
    assert not any(row.finite for row in run_chunks(sick, tokens, [8, 1]))


@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("dtype", ["f32", "q8_0"])
def test_cache_blocks_heal(tmp_path: Path, dtype: str, isa: str) -> None:
    # One token of the vocabulary is sick. A request with it leaves NaN in the cache, in the step's
    # buffers and in the workers' scratch; the next one in the same blocks must not see them.
    sick = _model(tmp_path, _poisoned("model.embed_tokens.weight", np.nan), dtype, isa)
    healthy = _healthy(sick, 90)
    before = run_chunks(sick, healthy, [90])
    assert all(row.finite for row in before)
    poison = np.full(90, POISONED_ROW, np.int32)
    for sizes in ([90], [1], [3]):
        assert not any(row.finite for row in run_chunks(sick, poison, [90]))
        assert_same_bits(run_chunks(sick, healthy, sizes), before)


@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("dtype", ["f32", "q8_0", "q4_0"])
def test_neighbours_stay_right(tmp_path: Path, dtype: str, isa: str) -> None:
    sick = _model(tmp_path, _poisoned("model.embed_tokens.weight", np.nan), dtype, isa)
    healthy = _healthy(sick, 30)
    alone = run_chunks(sick, healthy, [30])
    poison = np.full(30, POISONED_ROW, np.int32)
    together = []
    for start, stop in ((0, 4), (4, 5), (5, 6), (6, 25), (25, 26), (26, 30)):
        spans = [
            Span(text[start:stop], start, table(sick, sequence), LOGITS_ALL)
            for sequence, text in enumerate((poison, healthy, poison))
        ]
        rows = run_spans(sick, spans)
        count = stop - start
        assert not any(row.finite for row in rows[:count] + rows[2 * count :])
        together += rows[count : 2 * count]
    assert_same_bits(together, alone)
