"""The measured limits are plausible and consume every byte and operation they claim."""

from __future__ import annotations

import pytest

from pyinfer._kernels.runtime import Runtime, available_isas
from pyinfer.diagnose.limits import WALKS, measure_limits, read_bandwidth, read_buffer


def test_read_bandwidth_is_plausible() -> None:
    assert 1e6 < read_bandwidth(2, nbytes=4 << 20) < 1e13


@pytest.mark.parametrize("isa", available_isas())
def test_limits_of_every_level(isa: str) -> None:
    limits = measure_limits(Runtime(isa, 2), read_buffer(4 << 20))
    for rate in (limits.read, limits.int8, limits.f32):
        assert 1e6 < rate < 1e15


@pytest.mark.parametrize("walk", [(3, 0, 0), (2, -1, 0), (2, 0, 1 << 21)])
def test_impossible_walks_are_refused(walk: tuple[int, int, int]) -> None:
    runtime, buffer = Runtime(threads=1), read_buffer(1 << 20)
    assert walk not in WALKS
    with pytest.raises(ValueError, match="walk"):
        runtime.read_bandwidth(buffer.view(), walk)


def test_unknown_peak_is_refused() -> None:
    with pytest.raises(ValueError, match="int4"):
        Runtime(threads=1).peak_rate("int4")
