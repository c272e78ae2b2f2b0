"""The window of recent tokens against a recount."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pyinfer.engine.penalties import RecentTokens


@given(
    window=st.integers(-1, 8),
    prompt=st.lists(st.integers(0, 4), max_size=20),
    answer=st.lists(st.integers(0, 4), max_size=30),
)
def test_the_window_counts_the_latest_tokens(
    window: int, prompt: list[int], answer: list[int]
) -> None:
    recent = RecentTokens(window)
    recent.fill(prompt)
    for n in range(len(answer) + 1):
        tokens = prompt + answer[:n]
        latest = tokens if window < 0 else tokens[max(0, len(tokens) - window) :]
        assert recent.counts == Counter(latest)
        if n < len(answer):
            recent.push(answer[n])
