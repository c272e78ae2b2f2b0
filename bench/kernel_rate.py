"""Rate of one kernel on several threads at once, from cache: what a prompt could reach at best.

The multiply peak is measured in turns with it, on the same threads: on a shared machine both move
by more than they differ.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier

import numpy as np

from bench.rates import random_rows
from pyinfer._kernels.kernels import Kernels, aligned_empty, format_info
from pyinfer._kernels.runtime import Runtime

PANEL_BYTES = (
    224 << 10
)  # panels of one call, held in L2: 16 of 1,536 inputs in q4_0, as in a prompt
N_TOKENS = 256
ROUNDS = 15
SECONDS_PER_ROUND = 0.03
PEAK_ROUNDS = 400_000  # about as long as a piece of the kernel
# Share of the multiply slots that do dot products, where dots, multiplies and fma share ports: a
# block of 32 inputs takes 8 dots, the product of the scales and the fma.
SLOT_BOUND = {"avx512vnni": {True: 8 / 10, False: 1.0}}


@dataclass(frozen=True, slots=True)
class KernelRate:
    """Operations per second (a multiply-add is two) of all threads, medians of the rounds.

    Attributes
    ----------
    ops : float
        Of the kernel.
    peak : float
        Of nothing but independent multiply-adds of its kind.
    """

    ops: float
    peak: float


def gemm_rate(fmt: str, n_cols: int, isa: str, threads: int) -> KernelRate:
    """Rate of the GEMM kernel and of the multiply peak, in turns.

    Every thread multiplies panels of its own; the kernels release the interpreter lock.
    """
    barrier = Barrier(threads)
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(_worker, fmt, n_cols, isa, barrier) for _ in range(threads)]
        rates = [job.result() for job in jobs]
    return KernelRate(sum(rate.ops for rate in rates), sum(rate.peak for rate in rates))


def _worker(fmt: str, n_cols: int, isa: str, barrier: Barrier) -> KernelRate:
    kind = "int8" if format_info(fmt).quantized else "f32"
    runtime = Runtime(isa, 1)
    call, ops_per_call = gemm_call(fmt, n_cols, isa)
    call()
    rates, peaks = [], []
    for _ in range(ROUNDS):
        barrier.wait()
        peaks.append(runtime.peak_rate(kind, PEAK_ROUNDS))
        barrier.wait()
        calls, start = 0, time.perf_counter()
        while (now := time.perf_counter()) - start < SECONDS_PER_ROUND:
            call()
            calls += 1
        rates.append(calls * ops_per_call / (now - start))
    return KernelRate(statistics.median(rates), statistics.median(peaks))


def gemm_call(fmt: str, n_cols: int, isa: str) -> tuple[Callable[[], object], int]:
    """Return a call of the kernel on random panels that fit into L2, and its operations."""
    info, kernels = format_info(fmt), Kernels(isa)
    n_panels = max(1, PANEL_BYTES // (n_cols // 128 * info.group_bytes))
    rows = random_rows(fmt, 16 * n_panels, n_cols)
    panels = kernels.pack(fmt, rows, n_cols)
    x = np.random.default_rng(1).standard_normal((N_TOKENS, n_cols), dtype=np.float32)
    tiles = kernels.act_a8(x, 8) if info.quantized else x
    out = aligned_empty((N_TOKENS, 16 * n_panels), np.float32)  # as in a prompt; matters by 5 %
    return lambda: kernels.gemm(fmt, panels, tiles, out=out), 2 * N_TOKENS * 16 * n_panels * n_cols
