"""The names of measures."""

from __future__ import annotations

import pytest

from bench.peers.measure import Measure


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pp512", Measure("pp", 512)),
        ("tg128@4096", Measure("tg", 128, 4096)),
        ("tg32x8", Measure("tg", 32, 0, 8)),
        ("pp8@16x2", Measure("pp", 8, 16, 2)),
    ],
)
def test_names(text: str, expected: Measure) -> None:
    assert Measure.parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize("text", ["", "pp", "pp0", "xx5", "pp512@", "tg3x0", "pp512 "])
def test_wrong_names(text: str) -> None:
    with pytest.raises(ValueError, match="no measure"):
        Measure.parse(text)


def test_amounts() -> None:
    measure = Measure.parse("tg32@100x4")
    assert (measure.tokens, measure.room) == (128, 132)
