"""How fast this machine reads memory: the limit of token generation."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

BUFFER_BYTES = 64 << 20  # per thread, beyond the caches of common processors
ROUNDS = 6


def read_bandwidth(threads: int, buffer_bytes: int = BUFFER_BYTES) -> float:
    """Return the best of a few readings of a large buffer per thread, in bytes per second.

    Takes about 0.1 s. Other load on the machine makes the result smaller.
    """
    buffers = [np.ones(buffer_bytes // 8, np.uint64) for _ in range(threads)]
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS):
            start = time.perf_counter()
            list(pool.map(np.maximum.reduce, buffers))
            best = min(best, time.perf_counter() - start)
    return threads * buffer_bytes / best
