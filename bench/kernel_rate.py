"""Rate of one kernel on several threads at once, from cache: what a prompt could reach at best."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np

from bench.rates import random_blocks
from pyinfer._kernels.kernels import Kernels, format_info

PANEL_BYTES = 384 << 10  # panels of one call, held in L2
N_TOKENS = 256
ROUNDS = 9
SECONDS_PER_ROUND = 0.05


def gemm_rate(fmt: str, n_cols: int, isa: str, threads: int) -> float:
    """Return the operations per second (a multiply-add is two) of all threads, median of rounds.

    Every thread multiplies panels of its own; the kernels release the interpreter lock.
    """
    barrier = Barrier(threads)
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(_worker, fmt, n_cols, isa, barrier) for _ in range(threads)]
        rates = [job.result() for job in jobs]
    return sum(rates)


def _worker(fmt: str, n_cols: int, isa: str, barrier: Barrier) -> float:
    info, kernels = format_info(fmt), Kernels(isa)
    n_panels = max(1, PANEL_BYTES // (n_cols // 128 * info.group_bytes))
    rows = random_blocks(fmt, 16 * n_panels, n_cols, info.block_inputs, info.block_bytes)
    panels = kernels.pack(fmt, rows, n_cols)
    x = np.random.default_rng(1).standard_normal((N_TOKENS, n_cols), dtype=np.float32)
    tiles = kernels.act_a8(x, 8) if info.quantized else x
    out = np.empty((N_TOKENS, 16 * n_panels), dtype=np.float32)
    ops = 2 * N_TOKENS * 16 * n_panels * n_cols
    kernels.gemm(fmt, panels, tiles, out=out)
    rates = []
    for _ in range(ROUNDS):
        barrier.wait()
        calls, start = 0, time.perf_counter()
        while (now := time.perf_counter()) - start < SECONDS_PER_ROUND:
            kernels.gemm(fmt, panels, tiles, out=out)
            calls += 1
        rates.append(calls * ops / (now - start))
    return statistics.median(rates)
