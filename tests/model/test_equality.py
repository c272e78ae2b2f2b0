"""The whole model gives the same bits whatever computes it: ``==``, no tolerance anywhere."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pyinfer._kernels.runtime import CancelFlag, available_isas
from pyinfer.errors import CancelledError
from pyinfer.model.model import Model
from pyinfer.model.step import LOGITS_ALL, LOGITS_LAST, Span

from ..checkpoints import random_config, write_folder
from .mixed_gguf import write_mixed_gguf
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

# Off the grid of panels (16 rows) and groups (128 inputs); more logits than one head chunk (1,024).
QUANTIZED = random_config(
    hidden=96, layers=2, heads=6, kv_heads=2, head_dim=16, intermediate=160, vocab=1111
)
FLOAT = random_config(
    hidden=72, layers=2, heads=3, kv_heads=1, head_dim=24, intermediate=200, vocab=1111
)
MIXED_FORMATS = {"q_proj": "q8_0", "k_proj": "q4_0", "v_proj": "f16", "o_proj": "bf16"}
MIXED_FORMATS |= {"gate_proj": "q4_0", "up_proj": "q8_0", "down_proj": "f32", "lm_head": "f16"}
# Rows of whole super-blocks; every format of a GGUF file in some place.
SUPER = random_config(
    hidden=256, layers=2, heads=8, kv_heads=2, head_dim=32, intermediate=512, vocab=1111
)
MIXED_SUPER = {"q_proj": "q4_k", "k_proj": "q5_k", "v_proj": "q6_k", "o_proj": "q2_k"}
MIXED_SUPER |= {"0.mlp.gate_proj": "q4_k", "0.mlp.up_proj": "q3_k", "0.mlp.down_proj": "q6_k"}
MIXED_SUPER |= {"1.mlp.gate_proj": "q4_1", "1.mlp.up_proj": "q5_1", "1.mlp.down_proj": "q5_0"}
MIXED_SUPER |= {"lm_head": "q6_k", "embed_tokens": "iq4_nl"}
FORMATS = ("f32", "f16", "bf16", "q8_0", "q4_0", "mixed", "super")
PROMPT = 150


def _mixed(name: str) -> str:
    return next((fmt for part, fmt in MIXED_FORMATS.items() if part in name), "q8_0")


def _mixed_super(name: str) -> str:
    return next(fmt for part, fmt in MIXED_SUPER.items() if part in name)


GGUF_MIXES = {"mixed": (QUANTIZED, _mixed), "super": (SUPER, _mixed_super)}


@pytest.fixture(scope="module", params=FORMATS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model of each format, and one whose matrices all differ."""
    path: Path = tmp_path_factory.mktemp("equality") / "model"
    if request.param in GGUF_MIXES:
        path = path.with_suffix(".gguf")
        write_mixed_gguf(path, *GGUF_MIXES[request.param], seed=1)
        return load(path)
    write_folder(path, QUANTIZED if request.param in ("q8_0", "q4_0") else FLOAT, 1, "f32")
    return load(path, request.param)


@pytest.fixture(scope="module")
def tokens(model: Model) -> np.ndarray:
    """A prompt."""
    return random_tokens(model, PROMPT)


@pytest.fixture(scope="module")
def expected(model: Model, tokens: np.ndarray) -> list[Row]:
    """The whole prompt in one step on one thread."""
    return run_chunks(with_runtime(model), tokens, [PROMPT])


def test_logits_are_alive(expected: list[Row]) -> None:
    stacked = np.stack([row.full for row in expected])
    assert all(row.finite for row in expected)
    assert len(np.unique(stacked)) > stacked.size / 10


@pytest.mark.parametrize("threads", [2, 3, 4, 5])
def test_threads(model: Model, tokens: np.ndarray, expected: list[Row], threads: int) -> None:
    twin = with_runtime(model, threads)
    assert_same_bits(run_chunks(twin, tokens, [PROMPT]), expected)
    assert_same_bits(run_chunks(twin, tokens, [100, 20, 8, 1]), expected)


@pytest.mark.parametrize("isa", available_isas()[1:])
def test_isas(model: Model, tokens: np.ndarray, expected: list[Row], isa: str) -> None:
    twin = with_runtime(model, 2, isa)
    assert_same_bits(run_chunks(twin, tokens, [100, 45, 1]), expected)


@pytest.mark.parametrize("isa", available_isas())
def test_isa_of_the_load(
    model: Model, tmp_path: Path, request: pytest.FixtureRequest, isa: str
) -> None:
    fmt = request.node.callspec.params["model"]
    if fmt in GGUF_MIXES:
        write_mixed_gguf(tmp_path / "m.gguf", *GGUF_MIXES[fmt], seed=1)
        again = load(tmp_path / "m.gguf", isa=isa)
    else:
        config = QUANTIZED if fmt in ("q8_0", "q4_0") else FLOAT
        write_folder(tmp_path, config, 1, "f32")
        again = load(tmp_path, fmt, isa=isa)
    for name in ("q", "k", "v", "o", "gate", "up", "down"):
        for a, b in zip(again._weights.layers, model._weights.layers, strict=True):
            assert np.array_equal(getattr(a, name).panels(), getattr(b, name).panels()), name
    assert np.array_equal(again._weights.head.panels(), model._weights.head.panels())


@pytest.mark.parametrize("size", [1, 3, 7, 8, 9, 64, 100])
def test_chunk_sizes(model: Model, tokens: np.ndarray, expected: list[Row], size: int) -> None:
    assert_same_bits(run_chunks(with_runtime(model, 2), tokens, [size]), expected)


def test_eager(model: Model, tokens: np.ndarray, expected: list[Row]) -> None:
    twin = with_runtime(model, 2)
    blocks = table(twin)
    rows: list[Row] = []
    for start, size in ((0, 70), (70, 5), (75, 1)):
        part = Span(tokens[start : start + size], start, blocks, LOGITS_ALL)
        rows += [Row.of(row) for row in twin.step_eager([part])]
    assert_same_bits(rows, expected[:76])


@pytest.mark.parametrize("walk", [(1, 0, 0), (2, 512, 0), (4, 1024, 9216)])
def test_walk(
    model: Model, tokens: np.ndarray, expected: list[Row], walk: tuple[int, int, int]
) -> None:
    twin = with_runtime(model, 2, walk=walk)
    assert_same_bits(run_chunks(twin, tokens, [130, 1]), expected)


def test_scattered_blocks(model: Model, tokens: np.ndarray, expected: list[Row]) -> None:
    twin = with_runtime(model, 2)
    rng = np.random.default_rng(5)
    blocks = rng.permutation(twin.n_blocks)[:3].astype(np.int32)
    assert not np.array_equal(blocks, np.sort(blocks)) or np.any(np.diff(blocks) != 1)
    assert_same_bits(run_chunks(twin, tokens, [40, 100, 1], blocks), expected)


def _feed(model: Model, plans: dict[int, list[int]], tokens: np.ndarray) -> dict[int, list[Row]]:
    """Sequences fed side by side, one chunk of each per step; the order turns with every step."""
    rows: dict[int, list[Row]] = {sequence: [] for sequence in plans}
    done = dict.fromkeys(plans, 0)
    left = {sequence: list(sizes) for sequence, sizes in plans.items()}
    turn = 0
    while any(left.values()):
        order = [sequence for sequence in plans if left[sequence]]
        order = order[turn % len(order) :] + order[: turn % len(order)]
        spans, owners = [], []
        for sequence in order:
            size = left[sequence].pop(0)
            start = done[sequence]
            # Every sequence is the same text from another place on.
            part = np.roll(tokens, -17 * sequence)[start : start + size]
            spans.append(Span(part, start, table(model, sequence), LOGITS_ALL))
            owners += [sequence] * size
            done[sequence] += size
        for owner, row in zip(owners, run_spans(model, spans), strict=True):
            rows[owner].append(row)
        turn += 1
    return rows


@pytest.mark.parametrize(
    "plans",
    [
        {0: [1] * 20, 1: [1] * 20, 2: [1] * 20},
        {0: [60] + [1] * 10, 1: [1] * 5 + [33, 8], 2: [7, 90, 1, 1], 3: [9] * 4},
        {0: [8, 8, 1, 1], 1: [1, 1, 8, 8]},
    ],
    ids=["decode", "mixed", "small"],
)
def test_neighbours(model: Model, tokens: np.ndarray, plans: dict[int, list[int]]) -> None:
    together = _feed(with_runtime(model, 3), plans, tokens)
    for sequence, sizes in plans.items():
        text = np.roll(tokens, -17 * sequence)[: sum(sizes)]
        alone = run_chunks(with_runtime(model), text, [len(text)])
        assert_same_bits(together[sequence], alone)


def test_cancelled_step_repeats(model: Model, tokens: np.ndarray, expected: list[Row]) -> None:
    twin = with_runtime(model, 3)
    flag = CancelFlag()
    span = Span(tokens, 0, table(twin), LOGITS_ALL)
    cancelled = 0
    for delay in np.linspace(0, 0.01, 12):
        setter = threading.Thread(target=_set_later, args=(flag, delay))
        setter.start()
        try:
            twin.step([span], flag)
        except CancelledError:
            cancelled += 1
        setter.join()
        flag.clear()
        assert_same_bits([Row.of(row) for row in twin.step([span], flag)], expected)
    flag.set()
    with pytest.raises(CancelledError):
        twin.step([span], flag)
    assert cancelled > 0


def _set_later(flag: CancelFlag, delay: float) -> None:
    time.sleep(delay)
    flag.set()


LONG = 1300


@pytest.fixture(scope="module", params=["f16", "f32", "q8_0"])
def long_model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Model, np.ndarray, list[Row]]:
    """Model, tokens and rows of a context over three attention segments, per cache format."""
    path = tmp_path_factory.mktemp("long")
    config = random_config(
        hidden=64,
        layers=2,
        heads=4,
        kv_heads=2,
        vocab=300,
        intermediate=64,
        head_dim=32 if request.param == "q8_0" else None,
    )
    write_folder(path, config, 2, "f32")
    model = load(path, "f32" if request.param == "f32" else "q8_0", kv_type=request.param)
    assert model.limits.kv_format == request.param
    text = random_tokens(model, LONG, 3)
    return model, text, run_chunks(with_runtime(model), text, [LONG])


@pytest.mark.parametrize("threads", [1, 3, 5])
def test_long_context(long_model: tuple[Model, np.ndarray, list[Row]], threads: int) -> None:
    model, text, expected = long_model
    twin = with_runtime(model, threads)
    blocks = np.random.default_rng(threads).permutation(twin.n_blocks)[:24].astype(np.int32)
    # Decode steps on both sides of the borders at 512 and 1,024; two kv heads and up to five
    # workers, so with more than two the segments of one head are shared out.
    sizes = [500, *[1] * 20, 492, *[1] * 25, 200, 1]
    assert_same_bits(run_chunks(twin, text, sizes, blocks), expected)


@pytest.mark.parametrize("isa", available_isas()[1:])
def test_long_context_isas(long_model: tuple[Model, np.ndarray, list[Row]], isa: str) -> None:
    model, text, expected = long_model
    twin = with_runtime(model, 4, isa)
    assert_same_bits(run_chunks(twin, text, [1015, *[1] * 15, 260, 1]), expected)


def test_decode_of_different_lengths(long_model: tuple[Model, np.ndarray, list[Row]]) -> None:
    model, text, expected = long_model
    twin = with_runtime(model, 5)
    for sequence, length in enumerate((3, 1100)):
        span = Span(text[:length], 0, table(twin, sequence), LOGITS_LAST)
        twin.step([span])
    for i in range(4):  # two rows, two kv heads, five workers: both rows in segments
        spans = [
            Span(text[n + i : n + i + 1], n + i, table(twin, s), LOGITS_LAST)
            for s, n in ((1, 1100), (0, 3))
        ]
        rows = run_spans(twin, spans)
        assert_same_bits(rows, [expected[1100 + i], expected[3 + i]])
