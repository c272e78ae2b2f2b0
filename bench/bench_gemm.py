"""GEMM of one thread from cache: ``python -m pytest bench/bench_gemm.py``.

As many panels as an op gives to one call; Gop/s is what the prompt path gets per thread. The
multiply peak is measured before every round, so the shares hold when clock or neighbours change.
"""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.kernel_rate import PANEL_BYTES, SLOT_BOUND
from bench.rates import random_rows, record
from bench.shapes import SHAPES, Shape
from pyinfer._kernels.kernels import FORMATS, Kernels, aligned_empty, available_isas, format_info
from pyinfer._kernels.runtime import Runtime

N_TOKENS = 64  # tokens of one call


def _ops_per_token(shape: Shape) -> int:
    """Operations of a prompt token in the matrices of all layers; the head sees one token only."""
    sizes = (rows * cols for name, (rows, cols) in shape.matrices().items() if name != "head")
    return 2 * shape.layers * sum(sizes)


@pytest.mark.parametrize("isa", available_isas()[:-1] or ["scalar"])
@pytest.mark.parametrize("model", ["1.5b", "7b", "14b", "32b"])
@pytest.mark.parametrize("fmt", FORMATS)
def test_gemm(benchmark: BenchmarkFixture, fmt: str, model: str, isa: str) -> None:
    info = format_info(fmt)
    kernels = Kernels(isa)
    n_tokens = 16 if benchmark.disabled else N_TOKENS
    _, n_cols = SHAPES[model].matrices()["gate_up"]
    n_panels = max(1, PANEL_BYTES // (n_cols // 128 * info.group_bytes))
    rows = random_rows(fmt, 16 * n_panels, n_cols)
    panels = kernels.pack(fmt, rows, n_cols)
    x = np.random.default_rng(1).standard_normal((n_tokens, n_cols), dtype=np.float32)
    tiles = kernels.act_a8(x, 8) if info.quantized else x
    out = aligned_empty((n_tokens, 16 * n_panels), np.float32)
    benchmark.group = f"gemm {fmt} {model}"
    runtime = Runtime(isa, 1)
    peaks: list[float] = []

    def measure_peak() -> None:
        peaks.append(runtime.peak_rate("int8" if info.quantized else "f32"))

    def run() -> None:
        kernels.gemm(fmt, panels, tiles, out=out)

    benchmark.pedantic(run, setup=measure_peak, rounds=31)
    expected = Kernels("scalar").gemm(fmt, panels, tiles[:1] if info.quantized else x[:8])
    correct = bool((out[:8] == expected).all())
    assert correct
    record(
        benchmark,
        isa=isa,
        n_bytes=panels.nbytes,
        n_ops=2 * n_tokens * 16 * n_panels * n_cols,
        correct=correct,
        bound="int8" if info.quantized else "f32",
    )
    if benchmark.stats is not None:
        n_ops = benchmark.extra_info["ops"]
        rates = [n_ops / seconds for seconds in benchmark.stats.stats.data]
        share = statistics.median(
            rate / peak for rate, peak in zip(rates, peaks[-len(rates) :], strict=True)
        )
        bound = SLOT_BOUND.get(isa, {}).get(info.quantized)
        benchmark.extra_info |= {
            "limit Gop/s": round(statistics.median(peaks) / 1e9, 1),
            "share of the limit": round(share, 3),
            "share of the slot bound": round(share / bound, 3) if bound else None,
            "tok/s": round(statistics.median(rates) / _ops_per_token(SHAPES[model]), 1),
        }
