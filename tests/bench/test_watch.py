"""Limits are sampled in the time in which something is measured."""

from __future__ import annotations

import numpy as np
import pytest

from bench.peers.watch import PIECE_SECONDS, LimitWatch, in_pieces
from pyinfer._kernels.runtime import Runtime
from pyinfer.diagnose.limits import Limits, read_buffer


def test_pieces_cover_every_step_once_and_are_sampled_between() -> None:
    calls: list[tuple[int, int]] = []
    samples: list[float] = []

    def run(count: int, depth: int) -> float:
        calls.append((count, depth))
        return count * PIECE_SECONDS / 10

    seconds, steady = in_pieces(run, 95, 1000, samples.append)
    assert calls == [(1, 1000), *[(10, 1001 + 10 * i) for i in range(9)], (4, 1091)]
    assert seconds == pytest.approx(95 * PIECE_SECONDS / 10)
    assert steady == pytest.approx(seconds)
    assert samples == [calls[i][0] * PIECE_SECONDS / 10 for i in range(10)]


def test_limits_are_the_medians_of_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = LimitWatch(Runtime("scalar", 1), read_buffer(1 << 20))
    rates = iter([10.0, 30.0, 20.0])

    def sample(seconds: float) -> None:
        watch._rates["read"].append(next(rates))

    monkeypatch.setattr(watch, "_sample", sample)
    with watch.around() as again:
        again(0.0)
    limits = watch.limits()
    assert limits.read == 20.0
    assert isinstance(limits, Limits)
    assert np.isfinite([limits.int8, limits.f32]).all()
