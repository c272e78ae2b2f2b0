"""Reasoning tags: every way of cutting the stream gives what the whole text gives."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyinfer.text.reasoning import ReasoningParser
from pyinfer.text.tags import CLOSE_TAG, OPEN_TAG, Tag

fragments = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "/", "think>", "</thi", "<thin", " ", "\n", "a"]),
    max_size=12,
).map("".join)


def whole(text: str, inside: bool) -> tuple[str, str]:
    if not inside:
        opened = re.match(r"\s*<think>", text)
        if not opened:
            return "", text
        text = text[opened.end() :]
    reasoning, _, content = text.partition("</think>")
    return reasoning, content.lstrip()


@given(text=fragments, inside=st.booleans(), cuts=st.lists(st.integers(0, 80), max_size=12))
@example(text=" \n<think>a</think>\n\nb</think>", inside=False, cuts=list(range(40)))
@example(text="a</thin", inside=True, cuts=list(range(40)))
def test_stream_equals_whole(text: str, inside: bool, cuts: list[int]) -> None:
    parser = ReasoningParser(inside)
    out = {"reasoning": "", "content": ""}
    order = []
    places = sorted({0, len(text), *(c for c in cuts if c < len(text))})
    for start, end in pairwise(places):
        for kind, part in parser.push(text[start:end]):
            assert part
            out[kind] += part
            order.append(kind)
    for kind, part in parser.finish():
        out[kind] += part
        order.append(kind)
    assert (out["reasoning"], out["content"]) == whole(text, inside)
    assert order == sorted(order, reverse=True)  # all reasoning comes before all content


@given(text=fragments, inside=st.booleans(), cuts=st.lists(st.integers(0, 80), max_size=12))
@example(text=" \n<think>a</think>\n\nb</think>", inside=False, cuts=list(range(40)))
def test_verbatim_parts_are_the_whole_text(text: str, inside: bool, cuts: list[int]) -> None:
    parser = ReasoningParser(inside, verbatim=True)
    places = sorted({0, len(text), *(c for c in cuts if c < len(text))})
    parts = [part for a, b in pairwise(places) for part in parser.push(text[a:b])]
    parts += parser.finish()
    assert "".join(part for _, part in parts) == text
    content = "".join(part for kind, part in parts if kind == "content")
    assert content == whole(text, inside)[1]


def test_verbatim_tags_that_are_tokens() -> None:
    parser = ReasoningParser(False, (OPEN_TAG, CLOSE_TAG), verbatim=True)
    pieces = ["\n", Tag(OPEN_TAG), "a", Tag(CLOSE_TAG), "\n\n", "b", Tag(CLOSE_TAG)]
    parts = [part for piece in pieces for part in parser.push(piece)]
    assert "".join(text for _, text in parts) == "\n<think>a</think>\n\nb</think>"
    assert [text for kind, text in parts if kind == "content"] == ["b", "</think>"]


@pytest.mark.parametrize(
    ("pieces", "inside", "expected"),
    [
        (["Hm", "m\n</", "think>", "\n", "\nYes"], True, [("Hm"), ("m\n"), ("Yes")]),
        (["no tags <", "b>"], False, ["no tags <", "b>"]),
        (["2 <", " 3"], True, ["2 ", "< 3"]),
    ],
)
def test_held_back_only_what_may_be_a_tag(
    pieces: list[str], inside: bool, expected: list[str]
) -> None:
    parser = ReasoningParser(inside)
    parts = [text for piece in pieces for _, text in parser.push(piece)]
    assert parts == expected
    assert parser.finish() == []


def test_in_reasoning() -> None:
    parser = ReasoningParser(starts_inside=False)
    assert not parser.in_reasoning
    parser.push("<think>a")
    assert parser.in_reasoning
    parser.push("</think>")
    assert not parser.in_reasoning
