"""The reasoning budget counts the tokens of the reasoning and ends it in time."""

from __future__ import annotations

import pytest

from pyinfer.text.budget import FORCED_END, ReasoningWatch
from pyinfer.text.detokenizer import Detokenizer
from pyinfer.text.tokenizer import Tokenizer


def forced_at(mini: Tokenizer, watch: ReasoningWatch, tokens: list[int]) -> int | None:
    """After how many tokens the end was forced."""
    detokenizer = Detokenizer(mini)
    for count, token in enumerate(tokens, 1):
        if watch.push(detokenizer.decode(token)) is not None:
            return count
    return None


@pytest.mark.parametrize("budget", [1, 2, 5])
def test_forces_after_the_budget(mini: Tokenizer, budget: int) -> None:
    watch = ReasoningWatch(mini, True, budget)
    tokens = mini.encode("abcdefgh")
    for token in tokens[: budget - 1]:
        assert watch.push(([mini.token_text(token)], False)) is None
        assert watch.inside
    forced = watch.push(([mini.token_text(tokens[budget - 1])], False))
    assert forced is not None
    assert mini.decode(forced) == FORCED_END
    assert not watch.inside
    assert watch.push(([mini.token_text(tokens[budget])], False)) is None


@pytest.mark.parametrize("budget", [None, -1])
def test_no_budget(mini: Tokenizer, budget: int | None) -> None:
    watch = ReasoningWatch(mini, True, budget)
    assert forced_at(mini, watch, mini.encode("abc" * 50)) is None
    assert watch.inside


def test_a_natural_end_comes_first(mini: Tokenizer) -> None:
    watch = ReasoningWatch(mini, True, 4)
    assert forced_at(mini, watch, mini.encode("abc</think>\n\nabcdef")) is None
    assert not watch.inside
    assert watch.first_content == "abcdef"


def test_the_closing_tag_at_the_limit_is_not_doubled(mini: Tokenizer) -> None:
    watch = ReasoningWatch(mini, True, 4)
    assert forced_at(mini, watch, mini.encode("abc</think>")) is None
    assert not watch.inside


def test_content_is_not_counted(mini: Tokenizer) -> None:
    watch = ReasoningWatch(mini, False, 2)
    assert not watch.inside
    assert forced_at(mini, watch, mini.encode("abcdef")) is None


def test_does_not_cut_a_character(mini: Tokenizer) -> None:
    whole = "😀".encode()
    tokens = [next(i for i in range(256) if mini.token_bytes(i) == bytes([b])) for b in whole]
    assert forced_at(mini, ReasoningWatch(mini, True, 1), tokens) == 4
    # Bytes that never become a character do not hold it up for ever.
    assert forced_at(mini, ReasoningWatch(mini, True, 1), [tokens[0]] * 9) is not None
