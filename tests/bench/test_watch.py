"""Limits are sampled in the time in which something is measured."""

from __future__ import annotations

import numpy as np
import pytest

from bench.peers.watch import PIECE_SECONDS, LimitWatch, in_pieces
from pyinfer._kernels.runtime import Runtime
from pyinfer.diagnose.limits import WALKS, read_buffer


def test_pieces_cover_every_step_once_and_are_sampled_between() -> None:
    calls: list[tuple[int, int]] = []
    samples: list[float] = []

    def run(count: int, depth: int) -> float:
        calls.append((count, depth))
        return count * PIECE_SECONDS / 10

    seconds, steady = in_pieces(run, 95, 1000, samples.append)
    assert calls == [(1, 1000), *[(10, 1000)] * 9, (4, 1000)]
    assert seconds == pytest.approx(95 * PIECE_SECONDS / 10)
    assert steady == pytest.approx(seconds)
    assert samples == [calls[i][0] * PIECE_SECONDS / 10 for i in range(10)]


def test_limits_are_medians_and_reading_takes_the_best_walk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = LimitWatch(Runtime("scalar", 1), read_buffer(1 << 20))
    rates = {walk: iter([10.0 + i, 1e9, *[20.0 + i] * 1_000_000]) for i, walk in enumerate(WALKS)}
    monkeypatch.setattr(watch, "_read", lambda walk: next(rates[walk]))
    with watch.around() as again:
        again(0.001)
    limits = watch.limits()
    assert limits.read == 20.0 + len(WALKS) - 1
    assert np.isfinite([limits.int8, limits.f32]).all()
