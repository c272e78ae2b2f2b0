"""Derived figures of a benchmark: what was moved and computed, per second."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from pyinfer._kernels.kernels import Kernels
from pyinfer._kernels.runtime import Runtime, cpu_name
from pyinfer._kernels.tensor import Arena, row_bytes
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


def random_rows(fmt: str, n_rows: int, n_cols: int) -> NDArray[np.uint8]:
    """File rows (n_rows, row_bytes) of normally distributed weights; each eight rows are alike."""
    x = np.random.default_rng(0).standard_normal((8, n_cols), dtype=np.float32)
    return np.resize(Kernels("scalar").quantize(fmt, x), (n_rows, row_bytes(fmt, n_cols)))
