"""The limits of the machine at this moment, with the threads and instruction set of a runtime.

Decode cannot be faster than reading the weights, prompts not faster than multiplying; every
figure is reported as a share of the limit measured in the same run.
"""

from __future__ import annotations

import numpy as np

from pyinfer._kernels.runtime import Runtime
from pyinfer._kernels.tensor import Arena

READ_BYTES = 512 << 20  # far above any last-level cache share
WALKS = ((1, 0, 0), (2, 0, 0), (2, 1024, 4608), (4, 1024, 4608), (4, 0, 0))
PASSES = 3

_arenas: list[Arena] = []


def measure_limits(runtime: Runtime) -> dict[str, float]:
    """Best of a few passes over several walks.

    Returns
    -------
    dict
        ``read`` in bytes per second, ``int8`` and ``f32`` in operations per second (a multiply-add
        is two), on all threads of the runtime.
    """
    if not _arenas:
        _arenas.append(Arena(READ_BYTES))  # huge pages, as the weights have
        np.asarray(_arenas[0].view()).fill(1)  # untouched pages all map to one zero page
    data = _arenas[0].view()
    read = max(runtime.read_bandwidth(data, walk) for walk in WALKS for _ in range(PASSES))
    return {
        "read": read,
        "int8": max(runtime.peak_rate("int8") for _ in range(PASSES)),
        "f32": max(runtime.peak_rate("f32") for _ in range(PASSES)),
    }
