"""GEMM of one thread from cache: ``python -m pytest bench/bench_gemm.py``.

As many panels as an op gives to one call; Gop/s is what the prompt path gets per thread.
"""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.rates import random_blocks, record
from bench.shapes import SHAPES
from pyinfer._kernels.kernels import FORMATS, Kernels, available_isas, format_info

PANEL_BYTES = 384 << 10  # panels of one call, held in L2
N_TOKENS = 256


@pytest.mark.parametrize("isa", available_isas()[1:] or ["scalar"])
@pytest.mark.parametrize("model", ["1.5b", "7b"])
@pytest.mark.parametrize("fmt", FORMATS)
def test_gemm(benchmark: BenchmarkFixture, fmt: str, model: str, isa: str) -> None:
    info = format_info(fmt)
    kernels = Kernels(isa)
    n_tokens = 16 if benchmark.disabled else N_TOKENS
    _, n_cols = SHAPES[model].matrices()["gate_up"]
    n_panels = max(1, PANEL_BYTES // (n_cols // 128 * info.group_bytes))
    rows = random_blocks(fmt, 16 * n_panels, n_cols, info.block_inputs, info.block_bytes)
    panels = kernels.pack(fmt, rows, n_cols)
    x = np.random.default_rng(1).standard_normal((n_tokens, n_cols), dtype=np.float32)
    tiles = kernels.act_a8(x, 8) if info.quantized else x
    out = np.empty((n_tokens, 16 * n_panels), dtype=np.float32)
    benchmark.group = f"gemm {fmt} {model}"
    benchmark.pedantic(kernels.gemm, (fmt, panels, tiles), {"out": out}, rounds=15, warmup_rounds=2)
    expected = Kernels("scalar").gemm(fmt, panels, tiles[:1] if info.quantized else x[:8])
    correct = bool((out[:8] == expected).all())
    assert correct
    record(
        benchmark,
        isa=isa,
        n_bytes=panels.nbytes,
        n_ops=2 * n_tokens * 16 * n_panels * n_cols,
        correct=correct,
    )
