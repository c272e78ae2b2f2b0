"""Durations of keep_alive."""

from __future__ import annotations

import math

import pytest

from pyinfer.errors import RequestError
from pyinfer.serving.durations import MAX_SECONDS, parse_duration


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0),
        (2.5, 2.5),
        (-1, -1.0),
        (-30, -1.0),
        (10**400, MAX_SECONDS),
        ("0", 0.0),
        ("300", 300.0),
        ("-1", -1.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("100ms", 0.1),
        ("-5m", -1.0),
        ("1m0.5s", 60.5),
    ],
)
def test_values(value: object, seconds: float) -> None:
    assert parse_duration(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["", "m", "5x", "5m5", "1e3", "--5m", True, None, [], "9" * 70])
def test_wrong_values(value: object) -> None:
    with pytest.raises(RequestError) as caught:
        parse_duration(value, "keep_alive")
    assert caught.value.param == "keep_alive"


def test_not_a_number() -> None:
    with pytest.raises(RequestError):
        parse_duration(math.nan)
