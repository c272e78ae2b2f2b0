"""The limits of the machine in the very moments in which an engine is measured.

A shared machine may read twice as fast in one second as in the next. A limit that is measured once,
as the best of many tries, then says what the machine can do at its best moment, and the share that
a run reaches says more about the neighbours than about the engine. So the run is cut into pieces of
a few hundredths of a second, the machine reads for as long between them, and the medians of both
are compared.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle

from pyinfer._kernels.runtime import Runtime
from pyinfer._kernels.tensor import Arena
from pyinfer.diagnose.limits import WALKS, Limits

PIECE_SECONDS = 0.06
_MULTIPLY_ROUNDS = 1_000_000
_MULTIPLY_EVERY = 8  # samples; these limits move less


Walk = tuple[int, int, int]


class LimitWatch:
    """Samples of reading and multiplying on the threads of a runtime.

    Parameters
    ----------
    runtime : Runtime
    buffer : Arena
        What is read; far larger than the caches.
    """

    def __init__(self, runtime: Runtime, buffer: Arena) -> None:
        self._runtime = runtime
        self._data = buffer.view()
        self._walks = cycle(WALKS)
        self._reads: dict[Walk, list[float]] = {}
        self._multiplies: dict[str, list[float]] = {}
        self._samples = 0

    @contextmanager
    def around(self) -> Iterator[Callable[[float], None]]:
        """Sample at both ends of the block, and for some seconds whenever the given function is
        called in it.
        """
        self._reads = {walk: [self._read(walk)] for walk in WALKS}
        self._multiplies = {"int8": [], "f32": []}
        self._samples = 0
        self._sample(PIECE_SECONDS)
        yield self._sample
        self._multiply()
        self._sample(PIECE_SECONDS)

    def limits(self) -> Limits:
        """Medians over the last block; reading by the walk whose median is best."""
        return Limits(
            read=max(statistics.median(rates) for rates in self._reads.values()),
            **{kind: statistics.median(rates) for kind, rates in self._multiplies.items()},
        )

    def _sample(self, seconds: float) -> None:
        if self._samples % _MULTIPLY_EVERY == 0:
            self._multiply()
        self._samples += 1
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            walk = next(self._walks)
            self._reads[walk].append(self._read(walk))

    def _multiply(self) -> None:
        for kind in ("int8", "f32"):
            self._multiplies[kind].append(self._runtime.peak_rate(kind, _MULTIPLY_ROUNDS))

    def _read(self, walk: Walk) -> float:
        return float(self._runtime.read_bandwidth(self._data, walk))


def in_pieces(
    run: Callable[[int, int], float], n: int, depth: int, sample: Callable[[float], None]
) -> tuple[float, float]:
    """``n`` steps after ``depth`` tokens, each piece between two samples of its length.

    Every piece begins at the same depth, so nothing has to be evaluated between them.

    Parameters
    ----------
    run : callable
        Seconds for (steps, depth).
    sample : callable
        Samples the limits for so many seconds.

    Returns
    -------
    tuple of float
        Seconds of all steps, and what they would be if every step took the median.
    """
    done, seconds = 0, 0.0
    size = 1
    steps: list[float] = []
    while done < n:
        count = min(size, n - done)
        piece = run(count, depth)
        steps += [piece / count] * count
        done, seconds = done + count, seconds + piece
        size = max(1, round(PIECE_SECONDS / (piece / count)))
        if done < n:
            sample(piece)
    return seconds, n * statistics.median(steps)
