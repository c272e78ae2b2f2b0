"""The least number of tokens of a text: never above the true one, and of use."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyinfer.errors import ContextLengthError, RequestError
from pyinfer.text import tokenizer as tokenizer_module
from pyinfer.text.tokenizer import EXACT_CHARS, MAX_WORD_BYTES, Tokenizer

from .test_text_cuts import PARTS, anything, mixed

TEXTS = ["a", " ", "\n", "----", "日", "e\u0301", "\u212b", "ᄀ\u1161\u11a8", "🙂", "x1", "<think>"]


@given(text=mixed | anything, times=st.integers(1, 300))
def test_no_text_has_fewer_tokens(r1: Tokenizer, text: str, times: int) -> None:
    long = text * times
    assert r1.fewest_tokens(long) <= len(r1._full.encode(long, add_special_tokens=False).ids)


@pytest.mark.parametrize("text", [*TEXTS, *PARTS])
def test_no_repeated_text_has_fewer_tokens(r1: Tokenizer, r1_gguf: Tokenizer, text: str) -> None:
    long = text * 20_000
    for tokenizer in (r1, r1_gguf):
        found = tokenizer._full.encode_batch_fast([long], add_special_tokens=False)[0].ids
        assert tokenizer.fewest_tokens(long) <= len(found)


@pytest.mark.parametrize(
    ("text", "most_bytes"), [("a", 40), (" ", 128), ("the quick brown fox. ", 60), ("日本", 50)]
)
def test_the_bound_is_of_use(r1: Tokenizer, text: str, most_bytes: int) -> None:
    long = text * 50_000
    assert r1.fewest_tokens(long) >= len(long.encode()) / most_bytes - 100


def test_tokens_that_take_spaces_along_make_spaces_free(
    write_folder: Callable[..., Path], mini_root: Any
) -> None:
    added = [dict(entry, rstrip=True) for entry in mini_root["added_tokens"]]
    tokenizer = Tokenizer.from_folder(write_folder({**mini_root, "added_tokens": added}))
    text = ("<think>" + " \n\u3000" * 500) * 300
    assert tokenizer.fewest_tokens(text) <= len(tokenizer.encode(text))


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_texts_are_counted_as_they_are_normalized(
    write_folder: Callable[..., Path], mini_root: Any, form: str
) -> None:
    root = {**mini_root, "normalizer": {"type": form}}
    tokenizer = Tokenizer.from_folder(write_folder(root))
    chars = [chr(c) for c in range(0x80, 0x3000) if unicodedata.normalize(form, chr(c)) != chr(c)]
    for text in ("".join(chars), "a\u0323\u0302" * 99_999, "ᄀ\u1161\u11a8" * 99_999):
        assert tokenizer.fewest_tokens(text) <= len(tokenizer.encode(text))


def refuse_to_tokenize(*arguments: Any, **options: Any) -> Any:
    raise AssertionError("the text was tokenized")


@pytest.mark.parametrize("piece", ["the quick brown fox ", "a", " ", "日本", "🙂", "_"])
def test_what_cannot_fit_is_refused_before_it_is_tokenized(
    r1: Tokenizer, monkeypatch: pytest.MonkeyPatch, piece: str
) -> None:
    text = piece * (16 * 2**20 // len(piece))
    monkeypatch.setattr(Tokenizer, "_run", refuse_to_tokenize)
    with pytest.raises(ContextLengthError, match="at least") as caught:
        r1.encode(text, add_special=True, limit=32_768)
    assert caught.value.at_least
    assert caught.value.context == 32_768 < caught.value.prompt_tokens


def test_what_turns_out_not_to_fit_is_tokenized_no_further(
    r1: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, read = Tokenizer._run, []

    def counting(self: Tokenizer, backend: Any, text: str, offsets: bool = False) -> Any:
        read.append(len(text))
        return run(self, backend, text, offsets)

    monkeypatch.setattr(Tokenizer, "_run", counting)
    text = "a quick fox, " * (EXACT_CHARS // 8)
    limit = r1.fewest_tokens(text)
    with pytest.raises(ContextLengthError, match="at least") as caught:
        r1.encode(text, limit=limit)
    assert limit < caught.value.prompt_tokens < limit + 20_000
    assert sum(read) < len(text) // 2


def test_shorter_texts_are_counted_to_their_end(r1: Tokenizer) -> None:
    text = "1 2 3 " * 1000
    assert r1.encode(text, limit=10) == r1.encode(text)


def test_many_beginnings_are_one_token(r1: Tokenizer) -> None:
    bos = r1.token_text(r1.bos_id)
    text = bos * (EXACT_CHARS // len(bos) + 1) + "hi"
    assert r1.encode(text, add_special=True, limit=5) == [r1.bos_id, *r1.encode("hi")]
    with pytest.raises(ContextLengthError):
        r1.encode(text, limit=5)


def test_one_word_of_gigabytes_of_work_is_refused(
    r1: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer_module, "MAX_WORD_BYTES", 100_000)
    text = "a" * 100_000
    assert len(r1.encode(text, limit=200_000)) == 12_500
    for refused in (text + "a", "🙂" * 25_001):
        with pytest.raises(RequestError, match="one word"):
            r1.encode(refused, limit=200_000)
        with pytest.raises(RequestError, match="one word"):
            list(r1.control_spans(refused, bounded=True))
    assert len(r1.encode(text + "a")) > 12_500  # without a limit it is the caller's memory
    assert MAX_WORD_BYTES == 4 << 20


def test_long_texts_do_not_hold_the_interpreter(
    r1: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call that holds its lock gets short texts only."""
    lengths = []

    class Backend:
        def encode(self, text: str, **options: Any) -> Any:
            lengths.append(len(text))
            return real.encode(text, **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    real = r1._full
    monkeypatch.setattr(r1, "_full", Backend())
    r1.encode("the quick brown fox " * 20_000)
    r1.encode("a" * 300_000)
    list(r1.control_spans("a" * 300_000))
    assert max(lengths, default=0) <= 4096
