"""The limits of the machine in the very moments in which an engine is measured.

A shared machine may read twice as fast in one second as in the next. A limit that is measured once,
as the best of many tries, then says what the machine can do at its best moment, and the share that
a run reaches says more about the neighbours than about the engine. So the run is cut into pieces of
a few tenths of a second, the limits are sampled between them, and both are averaged over the same
time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyinfer._kernels.runtime import Runtime
from pyinfer._kernels.tensor import Arena
from pyinfer.diagnose.limits import WALKS, Limits

PIECE_SECONDS = 0.3
_CHOICE_ROUNDS = 5
_MULTIPLY_ROUNDS = 1_000_000
_SAMPLE_PASSES = 2


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
        tries = [[self._read(walk) for walk in WALKS] for _ in range(_CHOICE_ROUNDS)]
        medians = [statistics.median(rates) for rates in zip(*tries, strict=True)]
        #: The walk that reads fastest here; one and the same in all samples, so that their mean
        #: is not a mean of lucky moments.
        self.walk = WALKS[medians.index(max(medians))]
        self._samples: list[Limits] = []

    @contextmanager
    def around(self) -> Iterator[Callable[[], None]]:
        """Sample at both ends of the block, and whenever the given function is called in it."""
        self._samples = []
        self._sample()
        yield self._sample
        self._sample()

    def limits(self) -> Limits:
        """Mean of the samples of the last block: of the time that each unit of work takes."""
        return Limits(
            read=statistics.harmonic_mean([sample.read for sample in self._samples]),
            int8=statistics.harmonic_mean([sample.int8 for sample in self._samples]),
            f32=statistics.harmonic_mean([sample.f32 for sample in self._samples]),
        )

    def _sample(self) -> None:
        runtime = self._runtime
        reads = [self._read(self.walk) for _ in range(_SAMPLE_PASSES)]
        self._samples.append(
            Limits(
                read=statistics.harmonic_mean(reads),
                int8=runtime.peak_rate("int8", _MULTIPLY_ROUNDS),
                f32=runtime.peak_rate("f32", _MULTIPLY_ROUNDS),
            )
        )

    def _read(self, walk: tuple[int, int, int]) -> float:
        return float(self._runtime.read_bandwidth(self._data, walk))


def in_pieces(
    run: Callable[[int, int], float], n: int, depth: int, sample: Callable[[], None]
) -> float:
    """Seconds of ``n`` steps after ``depth`` tokens, with samples of the limits between pieces.

    Parameters
    ----------
    run : callable
        Seconds for (steps, depth).
    """
    done, seconds = 0, 0.0
    size = 1
    while done < n:
        count = min(size, n - done)
        started = time.perf_counter()
        piece = run(count, depth + done)
        done, seconds = done + count, seconds + piece
        # The first call may prepare the depth; only what counts decides the size of pieces.
        size = max(1, round(PIECE_SECONDS / (piece / count)))
        if done < n and (time.perf_counter() - started > PIECE_SECONDS / 2 or count > 1):
            sample()
    return seconds
