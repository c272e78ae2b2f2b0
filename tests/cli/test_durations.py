"""Durations in Go's notation; the expected strings are what Go's time.Duration prints."""

from __future__ import annotations

import pytest

from pyinfer.cli.durations import go_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-1, "0s"),
        (1e-9, "1ns"),
        (999e-9, "999ns"),
        (1.5e-6, "1.5µs"),
        (0.0123, "12.3ms"),
        (0.999999999, "999.999999ms"),
        (1, "1s"),
        (4.23271, "4.23271s"),
        (60, "1m0s"),
        (62.5, "1m2.5s"),
        (3600, "1h0m0s"),
        (90061.001, "25h1m1.001s"),
    ],
)
def test_go_duration(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text
