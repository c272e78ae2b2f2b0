"""A conversation that is cut loses as few messages as needed, and is rendered a few times only."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from pyinfer.requests.prompts import _GUESSES, _fitting
from pyinfer.text.chat_template import ChatPrompt


class Renderer:
    """Renders messages as their contents between marks; a token per ``width`` characters."""

    def __init__(self, width: int = 3, hidden: bool = False) -> None:
        self.calls = 0
        self._width, self._hidden = width, hidden

    def __call__(self, messages: Any, limit: int = 0) -> ChatPrompt:
        self.calls += 1
        contents = [m["content"][:9] if self._hidden else m["content"] for m in messages]
        text = "".join(f"<|{content}|>" for content in contents)
        return ChatPrompt(text, list(range(-(-len(text) // self._width))), False)


def conversation(dice: random.Random, count: int, longest: int) -> list[dict[str, str]]:
    roles = ["system"] + [("user", "assistant")[n % 2] for n in range(count)]
    return [{"role": role, "content": "a" * dice.randrange(longest)} for role in roles]


def fewest(messages: list[dict[str, str]], room: int, render: Renderer) -> int:
    for count in range(len(messages) - 1):
        if len(render(messages[:1] + messages[1 + count :]).token_ids) <= room:
            return count
    return 0


@pytest.mark.parametrize("hidden", [False, True])
def test_as_few_as_needed(hidden: bool) -> None:
    dice = random.Random(3)
    for _ in range(200):
        messages = conversation(dice, dice.randrange(1, 60), dice.choice([2, 30, 400]))
        room = dice.randrange(1, 4000)
        render = Renderer(dice.choice([1, 3, 7]), hidden)
        cut = _fitting(render, messages, room, 100_000)
        assert render.calls <= 1 + _GUESSES + math.ceil(math.log2(len(messages) + 1)) + 1
        assert cut.truncated_messages == fewest(messages, room, render)


def test_even_messages_are_rendered_four_times_at_most() -> None:
    messages = [{"role": "user", "content": "word " * 20} for _ in range(300)]
    for room in (100, 1_000, 5_000, 9_000):
        render = Renderer()
        assert _fitting(render, messages, room, 100_000).truncated_messages > 0
        assert render.calls <= 4
