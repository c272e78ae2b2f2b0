"""Attention of one kv head over one segment: ``python -m pytest bench/bench_attn.py``.

Decode reads K and V once for the whole head group (GB/s); prompts multiply (Gop/s).
"""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.rates import record
from bench.shapes import SHAPES
from pyinfer._kernels.kernels import Kernels, aligned_empty, available_isas, kv_block_bytes

SEGMENT = 512


@pytest.mark.parametrize("isa", available_isas()[:-1] or ["scalar"])
@pytest.mark.parametrize("n_tokens", [1, 32])
@pytest.mark.parametrize("model", ["1.5b", "7b"])
@pytest.mark.parametrize("kv", ["f16", "f32"])
def test_attn(benchmark: BenchmarkFixture, kv: str, model: str, n_tokens: int, isa: str) -> None:
    shape = SHAPES[model]
    kernels = Kernels(isa)
    n_queries = n_tokens * shape.H // shape.G
    rng = np.random.default_rng(0)
    pool = aligned_empty((SEGMENT // 64, kv_block_bytes(shape.K, kv)))
    values = rng.standard_normal(pool.size // (2 if kv == "f16" else 4), dtype=np.float32)
    stored = values.astype(np.float16 if kv == "f16" else np.float32)
    pool.reshape(-1)[:] = stored.view(np.uint8)
    table = np.arange(SEGMENT // 64, dtype=np.int32)
    q = rng.standard_normal((n_queries, shape.K), dtype=np.float32)
    limit = np.full(n_queries, SEGMENT, dtype=np.int32)
    arguments = (q, limit, pool, table, 0, SEGMENT, kv)
    benchmark.group = f"attn {kv} {model} T={n_tokens}"
    found = benchmark.pedantic(kernels.attn, arguments, rounds=30, warmup_rounds=2)
    expected = Kernels("scalar").attn(*arguments)
    correct = all(bool((a == b).all()) for a, b in zip(found, expected, strict=True))
    assert correct
    record(
        benchmark,
        isa=isa,
        n_bytes=pool.nbytes,
        n_ops=4 * n_queries * shape.K * SEGMENT,
        correct=correct,
        bound="read" if n_tokens == 1 else "f32",
    )
