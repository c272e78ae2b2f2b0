"""Runs a model step by step for the tests of this folder and keeps every bit of the outcome."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pyinfer._kernels.runtime import Runtime
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import load_model
from pyinfer.model.model import Model, StepLimits
from pyinfer.model.step import BLOCK_TOKENS, LOGITS_ALL, LogitsRow, Span

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


@dataclass(slots=True)
class Row:
    """A copy of one row of logits: the model's own is gone after the next step."""

    full: Floats
    ids: Ints
    values: Floats
    log_sum_exp: float
    finite: bool

    @classmethod
    def of(cls, row: LogitsRow) -> Row:
        """Copy ``row``."""
        copies = (np.array(x) for x in (row.full, row.ids, row.values))
        return cls(*copies, row.log_sum_exp, row.finite)


def load(
    path: Path,
    dtype: str | None = None,
    threads: int = 1,
    isa: str | None = None,
    kv_type: str | None = None,
) -> Model:
    """Load a checkpoint for tests of its model alone."""
    return load_model(
        path, LoadOptions(dtype=dtype, threads=threads, isa=isa, kv_type=kv_type)
    ).model


def with_runtime(
    model: Model,
    threads: int = 1,
    isa: str | None = None,
    walk: tuple[int, int, int] | None = None,
    context: int = 1536,
    sequences: int = 4,
) -> Model:
    """Return a model of the same weights on another runtime, with room for whole prompts."""
    runtime = Runtime(isa, threads)
    if walk is not None:
        runtime.walk = walk
    limits = StepLimits(
        context=context,
        n_blocks=sequences * context // BLOCK_TOKENS,
        kv_format=model.limits.kv_format,
        max_step_tokens=context,
        max_logit_rows=context,
    )
    twin = Model(model.config, model._weights, runtime, limits)
    twin.n_valid = model.n_valid
    return twin


def table(model: Model, sequence: int = 0) -> Ints:
    """Block table of one of the sequences that the cache holds at full length."""
    per_sequence = model.limits.context // BLOCK_TOKENS
    return np.arange(sequence * per_sequence, (sequence + 1) * per_sequence, dtype=np.int32)


def run_spans(model: Model, spans: Sequence[Span]) -> list[Row]:
    """One step, with its rows copied."""
    return [Row.of(row) for row in model.step(spans)]


def run_chunks(
    model: Model, tokens: Ints, sizes: Iterable[int], blocks: Ints | None = None
) -> list[Row]:
    """All rows of one sequence, fed in steps of the given sizes (the last size repeats)."""
    blocks = table(model) if blocks is None else blocks
    rows: list[Row] = []
    start, size = 0, 0
    left = iter(sizes)
    while start < len(tokens):
        size = next(left, size)
        rows += run_spans(model, [Span(tokens[start : start + size], start, blocks, LOGITS_ALL)])
        start += size
    return rows


def random_tokens(model: Model, count: int, seed: int = 0) -> Ints:
    """Uniformly random token ids."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, model.config.vocab_size, count).astype(np.int32)


def assert_same_bits(found: Sequence[Row], expected: Sequence[Row]) -> None:
    """Every field of every row is equal, bit for bit."""
    assert len(found) == len(expected)
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        for name in ("full", "ids", "values"):
            x, y = getattr(a, name), getattr(b, name)
            assert x.tobytes() == y.tobytes(), f"row {i}: {name} differs, {_difference(x, y)}"
        assert np.float64(a.log_sum_exp).tobytes() == np.float64(b.log_sum_exp).tobytes(), i
        assert a.finite == b.finite, i


def _difference(x: npt.NDArray[np.generic], y: npt.NDArray[np.generic]) -> str:
    if x.shape != y.shape:
        return f"shapes {x.shape} and {y.shape}"
    where = np.flatnonzero(x != y)
    first = int(where[0]) if len(where) else -1
    return f"{len(where)} of {x.size} values, first at {first}: {x.flat[first]} and {y.flat[first]}"
