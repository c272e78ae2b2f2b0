"""Stop strings: the cut is where a look at the whole text would put it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyinfer.errors import RequestError
from pyinfer.text.stop import StopMatcher

few = st.text("ab<", max_size=24)


def whole(text: str, stops: list[str]) -> tuple[str, bool]:
    """Look at ever longer beginnings; the first that ends with a stop string decides."""
    for end in range(len(text) + 1):
        matches = [s for s in stops if text[:end].endswith(s)]
        if matches:
            return text[: end - max(map(len, matches))], True
    return text, False


@given(
    text=few,
    stops=st.lists(st.text("ab<", min_size=1, max_size=5), max_size=4),
    cuts=st.lists(st.integers(0, 24), max_size=10),
)
@example(text="ab<", stops=["b", "ab<"], cuts=[])
def test_stream_equals_whole(text: str, stops: list[str], cuts: list[int]) -> None:
    places = sorted({0, len(text), *(c for c in cuts if c < len(text))})
    matcher = StopMatcher(stops)
    out = ""
    stopped = False
    for start, end in pairwise(places):
        emit, stopped = matcher.push(text[start:end])
        out += emit
        if stopped:
            break
    if not stopped:
        out += matcher.finish()
    assert (out, stopped) == whole(text, stops)
    assert not any(stop in out for stop in stops)
    assert matcher.stopped == stopped
    assert (matcher.found is not None) == stopped


@given(text=few, stops=st.lists(st.text("ab<", min_size=1, max_size=5), max_size=4))
def test_no_more_is_held_back_than_needed(text: str, stops: list[str]) -> None:
    matcher = StopMatcher(stops)
    emit, stopped = matcher.push(text)
    if not stopped:
        held = text[len(emit) :]
        assert held == "" or any(s.startswith(held) and s != held for s in stops)


def test_nothing_passes_after_a_stop() -> None:
    matcher = StopMatcher(["END"])
    assert matcher.push("abcEN") == ("abc", False)
    assert matcher.push("D more") == ("", True)
    assert matcher.push("more") == ("", True)
    assert matcher.finish() == ""
    assert matcher.found == "END"


@pytest.mark.parametrize("bad", ["text", [""], ["a", ""], [3], [None]])
def test_bad_stops(bad: Any) -> None:
    with pytest.raises(RequestError):
        StopMatcher(bad)
