"""Derived figures of a benchmark: what was moved and computed, per second."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from pyinfer._kernels.runtime import Runtime, cpu_name
from pyinfer._kernels.tensor import Arena
from pyinfer.diagnose.limits import measure_limits, read_buffer


@cache
def _reader(isa: str, threads: int) -> tuple[Runtime, Arena]:
    """Threads, and memory to read that stays for the whole session."""
    return Runtime(isa, threads), read_buffer()


def record(
    benchmark: BenchmarkFixture,
    *,
    isa: str,
    n_bytes: int,
    n_ops: int,
    correct: bool | None = None,
    bound: str = "",
    threads: int = 1,
) -> None:
    """Write the amounts of one call, and the best rates if it was timed, into ``extra_info``.

    ``correct`` is None where nothing else gives bits to compare with. ``bound`` names the limit
    that the call runs into, ``read``, ``int8`` or ``f32``: it is measured right after the
    benchmark, and the share of it is written, too.
    """
    benchmark.extra_info.update(
        isa=isa, threads=threads, bytes=n_bytes, ops=n_ops, cpu=cpu_name(), correct=correct
    )
    if benchmark.stats is not None:
        seconds = benchmark.stats.stats.min
        benchmark.extra_info["GB/s"] = round(n_bytes / seconds / 1e9, 2)
        benchmark.extra_info["Gop/s"] = round(n_ops / seconds / 1e9, 1)
        if bound:
            top = getattr(measure_limits(*_reader(isa, threads)), bound)
            benchmark.extra_info["limit"] = top
            done = n_bytes if bound == "read" else n_ops
            benchmark.extra_info["share"] = done / seconds / top


# Where the f16 scales and minimums of a file block stand, if not a scale alone at its beginning.
F16_OFFSETS = {"q2_k": (80, 82), "q4_k": (0, 2), "q5_k": (0, 2), "q5_1": (0, 2), "q6_k": (208,)}


def random_blocks(fmt: str, n_rows: int, n_cols: int, block: int, size: int) -> NDArray[np.uint8]:
    """Random file rows; scales of quantized blocks are ordinary numbers."""
    rng = np.random.default_rng(0)
    if block == 1:
        x = rng.standard_normal((n_rows, n_cols), dtype=np.float32)
        if fmt == "bf16":
            return np.ascontiguousarray(x.view(np.uint16)[:, 1::2]).view(np.uint8)
        return x.astype(np.float16 if fmt == "f16" else np.float32).view(np.uint8)
    blocks = rng.integers(0, 256, (n_rows, n_cols // block, size), dtype=np.uint8)
    for offset in F16_OFFSETS.get(fmt, (0,)):
        blocks[..., offset : offset + 2] = np.array([0.01], dtype=np.float16).view(np.uint8)
    return blocks.reshape(n_rows, -1)
