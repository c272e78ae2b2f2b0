"""Streaming detokenizer: equal to decoding everything at once, and never half a character."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyinfer.text.detokenizer import Detokenizer
from pyinfer.text.tokenizer import Tokenizer


def run(tokenizer: Tokenizer, ids: list[int], skip: bool) -> list[str]:
    detokenizer = Detokenizer(tokenizer, skip)
    return [*(detokenizer.push(i) for i in ids), detokenizer.finish()]


@given(ids=st.lists(st.integers(0, 273), max_size=60), skip=st.booleans())
@example(ids=[], skip=True)
def test_stream_equals_full_decode(mini: Tokenizer, ids: list[int], skip: bool) -> None:
    assert "".join(run(mini, ids, skip)) == mini.decode(ids, skip)


# Bytes that begin, continue or cannot be UTF-8, so that random lists are often nearly valid.
_HARD = [0x41, 0x80, 0x8F, 0x9F, 0xA0, 0xBF, 0xC0, 0xC3, 0xE0, 0xE4, 0xED, 0xEF, 0xF0, 0xF4, 0xFF]


@given(data=st.lists(st.sampled_from(_HARD), max_size=12), end=st.booleans())
def test_invalid_bytes_become_the_same_replacement(
    mini: Tokenizer, data: list[int], end: bool
) -> None:
    by_byte = {mini.token_bytes(i): i for i in range(256)}
    ids = [by_byte[bytes([b])] for b in data] + ([mini.eos_ids[0]] if end else [])
    assert "".join(run(mini, ids, True)) == bytes(data).decode("utf-8", "replace")


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_valid_text_never_shows_a_replacement(mini: Tokenizer, text: str) -> None:
    text = text.replace("\ufffd", "")
    parts = run(mini, mini.encode(text), True)
    assert "\ufffd" not in "".join(parts)
    assert parts[-1] == ""


def test_character_is_held_back_until_complete(mini: Tokenizer) -> None:
    ids = mini.encode("🙂")
    assert len(ids) == 2
    assert run(mini, ids, True) == ["", "🙂", ""]
    assert run(mini, ids[:1], True) == ["", "\ufffd"]


@pytest.mark.parametrize(("skip", "shown"), [(True, ""), (False, "<｜end▁of▁sentence｜>")])
def test_special_tokens(mini: Tokenizer, skip: bool, shown: str) -> None:
    ids = [*mini.encode("a<think>"), mini.eos_ids[0]]
    assert "".join(run(mini, ids, skip)) == "a<think>" + shown


def test_finish_starts_anew(mini: Tokenizer) -> None:
    detokenizer = Detokenizer(mini)
    detokenizer.push(mini.encode("🙂")[0])
    assert detokenizer.finish() == "\ufffd"
    assert detokenizer.push(mini.encode("a")[0]) == "a"


@given(seed=st.lists(st.integers(0, 151664), max_size=30), skip=st.booleans())
def test_real_vocabulary(r1: Tokenizer, seed: list[int], skip: bool) -> None:
    assert "".join(run(r1, seed, skip)) == r1.decode(seed, skip)
