"""The bandwidth figure is a plausible number of bytes per second."""

from __future__ import annotations

from pyinfer.diagnose.bandwidth import read_bandwidth


def test_plausible() -> None:
    assert 1e6 < read_bandwidth(2, 1 << 20) < 1e13
