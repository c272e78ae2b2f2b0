"""The engine rule for stop strings stops at the token that completes one."""

from __future__ import annotations

import pytest

from pyinfer.text.stop_hook import StopHook
from pyinfer.text.tokenizer import Tokenizer


@pytest.mark.parametrize(
    ("text", "stops", "last"),
    [
        ("abcdef", ["cd"], 3),
        ("abcdef", ["x", "f"], 5),
        ("abc", ["abcd"], None),
        ("a🙂b", ["🙂"], 2),
    ],
)
def test_stops_at_the_completing_token(
    mini: Tokenizer, text: str, stops: list[str], last: int | None
) -> None:
    hook = StopHook(mini, stops)
    answers = [hook.on_token(token) for token in mini.encode(text)]
    assert (answers.index("stop") if "stop" in answers else None) == last
    assert not hook.masks
    assert not hook.mask(None)
