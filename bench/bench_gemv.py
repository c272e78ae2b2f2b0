"""GEMV of one thread from memory: ``python -m pytest bench/bench_gemv.py``.

The panels are far larger than a last-level cache share, so GB/s is what decode gets per thread.
"""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.rates import random_rows, record
from bench.shapes import SHAPES
from pyinfer._kernels.kernels import FORMATS, Kernels, aligned_empty, available_isas, format_info

MEMORY_BYTES = 256 << 20
WALK = {"n_streams": 4, "prefetch_near": 1024, "prefetch_far": 4608}


@pytest.mark.parametrize("isa", available_isas()[:-1] or ["scalar"])
@pytest.mark.parametrize("n_tokens", [1, 4, 8])
@pytest.mark.parametrize("fmt", FORMATS)
def test_gemv(benchmark: BenchmarkFixture, fmt: str, n_tokens: int, isa: str) -> None:
    info = format_info(fmt)
    kernels = Kernels(isa)
    _, n_cols = SHAPES["1.5b"].matrices()["gate_up"]
    rows = random_rows(fmt, 16 * 16, n_cols)
    part = kernels.pack(fmt, rows, n_cols)
    repeats = 1 if benchmark.disabled else -(-MEMORY_BYTES // part.nbytes)
    panels = aligned_empty((repeats * part.shape[0], part.shape[1]))
    panels.reshape(repeats, *part.shape)[:] = part
    x = np.random.default_rng(1).standard_normal((n_tokens, n_cols), dtype=np.float32)
    tile = kernels.act_a8(x)[0] if info.quantized else x
    out = np.empty((n_tokens, panels.shape[0] * 16), dtype=np.float32)
    benchmark.group = f"gemv {fmt} T={n_tokens}"
    benchmark.pedantic(
        kernels.gemv, (fmt, panels, tile), {**WALK, "out": out}, rounds=7, warmup_rounds=1
    )
    expected = Kernels("scalar").gemv(fmt, part, tile)
    correct = bool((out[:, -part.shape[0] * 16 :] == expected).all())
    assert correct
    record(
        benchmark,
        isa=isa,
        n_bytes=panels.nbytes,
        n_ops=2 * n_tokens * panels.shape[0] * 16 * n_cols,
        correct=correct,
        bound="read",
    )
