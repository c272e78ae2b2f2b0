"""Vocabularies of Llama 3: words that are tokens without merges, digits in threes, BOS.

The small vocabulary has what the published one has: tokens that no merge leads to, and added tokens
behind all ordinary ones. The package that reads ``tokenizer.json`` is the reference.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend

from pyinfer.convert.tokenizer_files import tokenizer_files
from pyinfer.convert.vocabulary_pairs import vocabulary_pairs
from pyinfer.errors import ModelUnsupportedError
from pyinfer.text.split_pattern import GGUF_PRE
from pyinfer.text.text_cuts import pieces
from pyinfer.text.tokenizer import Tokenizer

from ..vocabulary import MERGES, added_entries, base_tokens, bpe_json

WHOLE = ("hey", "Ġtheword", "123", "00", "eot")  # no merge leads to them
ADDED = (
    ("<｜begin▁of▁sentence｜>", 1),
    ("<｜end▁of▁sentence｜>", 1),
    ("<|eot_id|>", 1),
    ("<｜User｜>", 0),
    ("<think>", 0),
)
N_WORDS = len(base_tokens()) + len(WHOLE)
TEXTS = st.lists(
    st.sampled_from(["hey", " theword", "123", "1234", "00", "hello", " the", "<|eot_id|>", "eot",
                     "<think>", "é", "日本", "'s", " ", "\n", "a1b22", "!?", "<｜User｜>"])
).map("".join) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)  # fmt: skip


def root(ignore_merges: bool = True, words: tuple[str, ...] = WHOLE) -> dict[str, Any]:
    """Object of ``tokenizer.json``."""
    vocab = {token: i for i, token in enumerate([*base_tokens(), *words])}
    merges = [f"{left} {right}" for left, right in MERGES]
    data = bpe_json(vocab, merges, added_entries(len(vocab), ADDED))
    data["model"]["ignore_merges"] = ignore_merges
    data["normalizer"] = None
    split = next(p for p in data["pre_tokenizer"]["pretokenizers"] if p["type"] == "Split")
    split["pattern"] = {"Regex": GGUF_PRE["llama-bpe"].pattern}
    return data


def write(folder: Path, data: dict[str, Any]) -> None:
    """Write the files of a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(data), "utf-8")
    config = {"bos_token": ADDED[0][0], "eos_token": ADDED[1][0], "add_bos_token": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the vocabulary."""
    path = tmp_path_factory.mktemp("llama")
    write(path, root())
    return path


@pytest.fixture(scope="module")
def metadata(folder: Path) -> dict[str, Any]:
    """The same as GGUF metadata, with three rows of padding."""
    return {pair.key: pair.value for pair in vocabulary_pairs(folder, N_WORDS + len(ADDED) + 3)}


@given(text=TEXTS)
def test_both_sources_give_the_tokens_of_the_package(
    text: str, folder: Path, metadata: dict[str, Any]
) -> None:
    expected = Backend.from_str(json.dumps(root())).encode(text, add_special_tokens=False).ids
    assert Tokenizer.from_folder(folder).encode(text) == expected
    tokenizer = Tokenizer.from_gguf(metadata)
    assert tokenizer.encode(text) == expected
    assert [i for part in pieces(text, tokenizer._cut, size=1) for i in
            tokenizer._full.encode(part, add_special_tokens=False).ids] == expected  # fmt: skip


def test_words_are_tokens_without_merges(metadata: dict[str, Any]) -> None:
    tokenizer = Tokenizer.from_gguf(metadata)
    first = len(base_tokens())
    assert tokenizer.encode("hey theword1230012") == [
        *(first, first + 1, first + 2),
        *tokenizer.encode("001"),
        *tokenizer.encode("2"),
    ]
    assert len(tokenizer.encode("001")) == 3


def test_metadata(metadata: dict[str, Any]) -> None:
    assert metadata["tokenizer.ggml.pre"] == "llama-bpe"
    tokenizer = Tokenizer.from_gguf(metadata)
    bos = N_WORDS
    assert tokenizer.bos_id == bos
    assert tokenizer.encode("a", add_special=True)[0] == bos
    bare = {k: v for k, v in metadata.items() if k != "tokenizer.ggml.add_bos_token"}
    # What llama.cpp does for a file that does not say.
    assert Tokenizer.from_gguf(bare).encode("a", add_special=True)[0] == bos
    assert Tokenizer.from_gguf(bare | {"tokenizer.ggml.add_bos_token": False}).encode(
        "a", add_special=True
    ) == tokenizer.encode("a")
    for name in ("llama3", "llama-v3"):
        again = Tokenizer.from_gguf(metadata | {"tokenizer.ggml.pre": name})
        assert again.encode("hey 1234") == tokenizer.encode("hey 1234")


def test_text_never_becomes_a_control_token(metadata: dict[str, Any]) -> None:
    tokenizer = Tokenizer.from_gguf(metadata)
    ids = tokenizer._ordinary.encode("<|eot_id|><think>", add_special_tokens=False).ids
    assert all(i < N_WORDS for i in ids)
    assert tokenizer.decode(ids) == "<|eot_id|><think>"


def test_back_to_a_folder(metadata: dict[str, Any]) -> None:
    files = tokenizer_files(metadata)
    data, source = files["tokenizer.json"], root()
    assert data["normalizer"] is None
    assert data["model"]["ignore_merges"] is True
    assert data["pre_tokenizer"] == source["pre_tokenizer"]
    for key in ("vocab", "merges"):
        assert data["model"][key] == source["model"][key]
    assert data["added_tokens"] == source["added_tokens"]


def test_merges_that_matter_are_not_dropped_silently(tmp_path: Path) -> None:
    write(tmp_path, root(ignore_merges=False))
    with pytest.raises(ModelUnsupportedError, match=r"no merge leads to the token 'hey'"):
        vocabulary_pairs(tmp_path, 1000)
    write(tmp_path, root(ignore_merges=False, words=()))
    pairs = {pair.key: pair.value for pair in vocabulary_pairs(tmp_path, 1000)}
    assert pairs["tokenizer.ggml.pre"] == "llama-bpe"
