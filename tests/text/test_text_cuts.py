"""Pieces of a text have the tokens of the whole, for every text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyinfer.text.text_cuts import PIECE_CHARS, pieces
from pyinfer.text.tokenizer import Tokenizer

# Where words, numbers, spaces and marks meet; tokens and their parts; what combines and composes.
PARTS = [
    *("a", "Z", "é", "ß", "ж", "日", "한", "ア", "0", "7", "٣", "ſ", "K", "Å", "ᄀ", "ᅡ", "ᆨ"),
    *(" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\u200d", "\x1c", "\x85"),
    *(".", ",", "'", "'s", "'Re", "_", "-", "。", "、", "！", "🙂", '"', "{", "\u0301", "\u0338"),
    *("\u0345", "\ufe0f", "\u1161", "\u20dd", "\U0001d165", "\U000f0000", "\U0010ffff"),
    *("<think>", "</think>", "<th", "ink>", "<｜User｜>", "<|EOT|>", "hello", " world"),
]
mixed = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def whole(tokenizer: Tokenizer, text: str, special: bool) -> list[int]:
    backend = tokenizer._full if special else tokenizer._ordinary
    ids: list[int] = backend.encode(text, add_special_tokens=False).ids
    return ids


@given(text=mixed | anything, special=st.booleans())
def test_the_tokens_of_the_pieces_are_those_of_the_whole(
    r1: Tokenizer, text: str, special: bool
) -> None:
    """Cut as often as can be, with the published vocabulary."""
    parts = list(pieces(text, r1._cut, size=1))
    assert "".join(parts) == text
    ids = [i for part in parts for i in whole(r1, part, special)]
    assert ids == whole(r1, text, special)


@given(text=mixed)
def test_encoding_a_long_text_gives_the_tokens_of_the_package(r1: Tokenizer, text: str) -> None:
    long = text * (2 * PIECE_CHARS // max(1, len(text)))
    assert r1.encode(long) == whole(r1, long, True)


@given(text=mixed)
def test_spans_of_pieces_are_those_of_the_whole(r1: Tokenizer, text: str) -> None:
    long = text * (2 * PIECE_CHARS // max(1, len(text)))
    found = r1._full.encode(long, add_special_tokens=False)
    added = set(r1.added_tokens.values())
    spans = [(i, *span) for i, span in zip(found.ids, found.offsets, strict=True) if i in added]
    assert list(r1.control_spans(long)) == spans


@pytest.mark.parametrize("text", ["a quick fox, 12 times. " * 20_000, "日本語。" * 50_000])
def test_long_texts_are_cut_into_pieces_of_bounded_size(r1: Tokenizer, text: str) -> None:
    parts = list(pieces(text, r1._cut))
    assert "".join(parts) == text
    assert all(PIECE_CHARS <= len(part) < PIECE_CHARS + 100 for part in parts[:-1])
    assert len(parts[-1]) < PIECE_CHARS + 100


def test_a_text_without_a_place_is_one_piece(r1: Tokenizer) -> None:
    text = "a" * 1_000_000
    assert list(pieces(text, r1._cut)) == [text]
    assert list(pieces("a " * 1_000_000, None)) == ["a " * 1_000_000]
    late = "a" * 1_000_000 + " b"
    assert list(pieces(late, r1._cut)) == ["a" * 1_000_000, " b"]


@pytest.mark.parametrize(
    "token",
    [
        {"content": "two words", "cut": True},
        {"content": "\u212a x", "normalized": True, "cut": True},  # a Kelvin sign becomes a K
        {"content": "x1y", "cut": True},
        {"content": "xy", "single_word": True},
        {"content": "END", "rstrip": True},
        {"content": "END>", "rstrip": True, "cut": True},
        {"content": "<END", "lstrip": True, "cut": True},
        {
            "content": "".join(f"a{chr(c)}" for c in range(32, 127))
            + "a\ta\na\ra、a。a！a，a：a；a？"
        },
    ],
)
def test_no_token_is_cut(
    write_folder: Callable[..., Path], mini_root: Any, token: dict[str, Any]
) -> None:
    added = mini_root["added_tokens"]
    cut = token.get("cut", False)
    entry = {**added[-1], **token, "id": len(added) + len(mini_root["model"]["vocab"])}
    root = {**mini_root, "added_tokens": [*added, entry]}
    tokenizer = Tokenizer.from_folder(write_folder(root))
    for part in ("{}", "say {}   and x1 ", "Kx 1{} ", "y{}y"):
        text = part.format(token["content"])
        for sample in (text * 3, text + "\n" + text):
            split = [i for p in pieces(sample, tokenizer._cut, 1) for i in tokenizer.encode(p)]
            assert split == whole(tokenizer, sample, True)
    assert (tokenizer._cut is not None) >= cut
    long = f"say {token['content']}   and x1 " * PIECE_CHARS
    assert tokenizer.encode(long) == whole(tokenizer, long, True)


def test_only_the_known_pattern_is_cut(
    write_folder: Callable[..., Path], mini_root: Any, mini: Tokenizer
) -> None:
    assert mini._cut is not None
    root = json.loads(json.dumps(mini_root))
    root["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\w+ ?|\W+"
    tokenizer = Tokenizer.from_folder(write_folder(root))
    assert tokenizer._cut is None
    long = "ab cd, " * PIECE_CHARS
    assert tokenizer.encode(long) == whole(tokenizer, long, True)
