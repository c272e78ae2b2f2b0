"""The limits of the machine at this moment, with given threads and instruction set.

Decode cannot be faster than reading the weights, prompts not faster than multiplying; every figure
is reported as a share of the limit measured in the same run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pyinfer._kernels.runtime import Runtime
from pyinfer._kernels.tensor import Arena

READ_BYTES = 256 << 20  # far above a last-level cache share
MIN_READ_BYTES = 1 << 20
WALKS = ((1, 0, 0), (2, 0, 0), (4, 0, 0), (2, 0, 5120), (2, 1024, 4608), (4, 0, 4608))
PASSES = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """Rates on all threads together.

    Attributes
    ----------
    read : float
        Bytes per second from memory.
    int8, f32 : float
        Operations per second; a multiply-add is two.
    """

    read: float
    int8: float
    f32: float


def read_limit(runtime: Runtime, data: Any) -> float:
    """Best rate of a few passes over ``data`` (uint8, 64-byte aligned) with several walks."""
    return max(runtime.read_bandwidth(data, walk) for walk in WALKS for _ in range(PASSES))


def read_buffer(nbytes: int = READ_BYTES) -> Arena:
    """Memory to read: huge pages as the weights have, touched (untouched pages are one page).

    ``nbytes`` is what a model's weights take; more than ``READ_BYTES`` of them say the same. The
    weights of a small model live in caches, so its limit is the speed of caches.
    """
    arena = Arena(min(max(nbytes, MIN_READ_BYTES), READ_BYTES))
    np.asarray(arena.view()).fill(1)
    return arena


def measure_limits(runtime: Runtime, buffer: Arena) -> Limits:
    """Measure everything now, best of a few passes; about 0.3 s."""
    return Limits(
        read=read_limit(runtime, buffer.view()),
        int8=max(runtime.peak_rate("int8") for _ in range(PASSES)),
        f32=max(runtime.peak_rate("f32") for _ in range(PASSES)),
    )


def read_bandwidth(threads: int, isa: str | None = None, nbytes: int = READ_BYTES) -> float:
    """Return the bytes per second that ``threads`` threads read from memory; about 0.2 s.

    Other load on the machine makes the result smaller.
    """
    buffer = read_buffer(nbytes)
    return read_limit(Runtime(isa, threads), buffer.view())
