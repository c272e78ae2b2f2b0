"""Tokenizer: ids against the `tokenizers` package and published vectors, BOS, decoding."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Reference

from pyinfer.errors import RequestError
from pyinfer.text.tokenizer import Tokenizer

TEXTS = [
    "",
    "hello world",
    "  é e\u0301 \n\n\t日本🙂 12345",
    "<｜User｜>hello<think>\n</think>",
    "<thi" + "nk",
    "we're I'LL\r\n\r\n  x   ",
    "\x00\x7f\u200d\U0010ffff",
]
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.fixture(scope="module")
def reference(mini_folder: Path) -> Reference:
    return Reference.from_file(str(mini_folder / "tokenizer.json"))


@pytest.mark.parametrize("text", TEXTS)
def test_ids_equal_reference(mini: Tokenizer, reference: Reference, text: str) -> None:
    assert mini.encode(text) == reference.encode(text, add_special_tokens=False).ids


@given(text=any_text)
def test_random_text_equals_reference_and_round_trips(
    mini: Tokenizer, reference: Reference, text: str
) -> None:
    ids = mini.encode(text)
    assert ids == reference.encode(text, add_special_tokens=False).ids
    assert mini.decode(ids) == unicodedata.normalize("NFC", text)
    assert mini.decode(ids) == reference.decode(ids, skip_special_tokens=False)


@given(ids=st.lists(st.integers(0, 273), max_size=40), skip=st.booleans())
def test_random_ids_decode_as_reference(
    mini: Tokenizer, reference: Reference, ids: list[int], skip: bool
) -> None:
    assert mini.decode(ids, skip) == reference.decode(ids, skip_special_tokens=skip)


@given(text=any_text)
def test_gguf_without_normalization(text: str, mini_metadata: dict[str, Any]) -> None:
    tokenizer = Tokenizer.from_gguf(mini_metadata)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("text", [t for t in TEXTS if unicodedata.is_normalized("NFC", t)])
def test_gguf_equals_folder(mini: Tokenizer, mini_metadata: dict[str, Any], text: str) -> None:
    tokenizer = Tokenizer.from_gguf(mini_metadata)
    for parse in (True, False):
        assert tokenizer.encode(text, True, parse) == mini.encode(text, True, parse)


def test_gguf_facts(mini: Tokenizer, mini_metadata: dict[str, Any]) -> None:
    tokenizer = Tokenizer.from_gguf(mini_metadata)
    for name in ("n_tokens", "bos_id", "eos_ids", "add_bos", "special_ids", "control_ids"):
        assert getattr(tokenizer, name) == getattr(mini, name), name
    assert tokenizer.chat_template == mini.chat_template
    assert tokenizer.n_tokens == 274  # the three padding tokens do not count


def test_bytes_are_accepted_for_gguf_strings(mini_metadata: dict[str, Any]) -> None:
    text = "hello <think> é"
    expected = Tokenizer.from_gguf(mini_metadata).encode(text)
    for key in ("tokens", "merges"):
        name = f"tokenizer.ggml.{key}"
        mini_metadata[name] = tuple(s.encode() for s in mini_metadata[name])
    assert Tokenizer.from_gguf(mini_metadata).encode(text) == expected


def test_special_parsing_can_be_switched_off(mini: Tokenizer) -> None:
    for name, token_id in mini.added_tokens.items():
        assert mini.encode(name) == [token_id]
        ids = mini.encode(name, parse_special=False)
        assert mini.control_ids.isdisjoint(ids)
        assert mini.decode(ids) == name


BOS = "<｜begin▁of▁sentence｜>"


@pytest.mark.parametrize("text", ["", "hi", BOS, BOS + "hi", BOS + BOS + "hi", " " + BOS])
def test_bos_exactly_once(mini: Tokenizer, text: str) -> None:
    ids = mini.encode(text, add_special=True)
    assert ids[0] == mini.bos_id
    assert ids[1:2] != [mini.bos_id]
    assert ids[1:] == mini.encode(text.removeprefix(BOS).removeprefix(BOS))


def test_bos_in_plain_text_is_not_the_bos(mini: Tokenizer) -> None:
    ids = mini.encode(BOS + "hi", add_special=True, parse_special=False)
    assert ids[0] == mini.bos_id
    assert mini.bos_id not in ids[1:]
    assert mini.decode(ids[1:]) == BOS + "hi"


def test_no_bos_unless_asked_or_wanted(mini: Tokenizer, write_folder: Callable[..., Path]) -> None:
    assert mini.bos_id not in mini.encode("hi")
    quiet = Tokenizer.from_folder(write_folder(config={"bos_token": BOS, "add_bos_token": False}))
    assert quiet.encode("hi", add_special=True) == quiet.encode("hi")


def test_add_bos_from_post_processor(write_folder: Callable[..., Path], mini_root: Any) -> None:
    processor = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": BOS, "type_id": 0}}, {"Sequence": {"id": "A"}}],
        "pair": [],
        "special_tokens": {},
    }
    for value in (processor, {"type": "Sequence", "processors": [processor]}):
        root = {**mini_root, "post_processor": value}
        assert Tokenizer.from_folder(write_folder(root, {"bos_token": BOS})).add_bos
    assert not Tokenizer.from_folder(write_folder(None, {"bos_token": BOS})).add_bos


def test_ends_are_the_union(write_folder: Callable[..., Path], mini: Tokenizer) -> None:
    eot = mini.added_tokens["<|EOT|>"]
    for value, expected in ((eot, 1), ([eot, mini.eos_ids[0]], 1), ([eot, 5], 2), (None, 0)):
        folder = write_folder(generation={"eos_token_id": value, "bos_token_id": 7})
        tokenizer = Tokenizer.from_folder(folder)
        assert tokenizer.eos_ids[0] == mini.eos_ids[0]
        assert len(tokenizer.eos_ids) == 1 + expected
        assert tokenizer.bos_id == mini.bos_id  # the tokenizer's own wins
    alone = Tokenizer.from_folder(write_folder(config={}, generation={"bos_token_id": 7}))
    assert alone.bos_id == 7
    assert not alone.add_bos


def test_tokens_only_listed_in_the_config(write_folder: Callable[..., Path]) -> None:
    entry = {"content": "<|more|>", "special": True}
    folder = write_folder(config={"added_tokens_decoder": {"274": entry}})
    tokenizer = Tokenizer.from_folder(folder)
    assert tokenizer.encode("<|more|>") == [274]
    assert tokenizer.special_ids >= {274}


def test_jinja_file_wins_over_config(write_folder: Callable[..., Path]) -> None:
    assert Tokenizer.from_folder(write_folder(jinja="from file")).chat_template == "from file"


def test_named_templates(write_folder: Callable[..., Path]) -> None:
    named = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
    assert Tokenizer.from_folder(write_folder(config={"chat_template": named})).chat_template == "d"


def test_truncation_and_padding_of_the_file_are_ignored(
    write_folder: Callable[..., Path], mini_root: Any
) -> None:
    root = {
        **mini_root,
        "truncation": {
            "direction": "Right",
            "max_length": 2,
            "strategy": "LongestFirst",
            "stride": 0,
        },
    }
    assert len(Tokenizer.from_folder(write_folder(root)).encode("abcdef")) == 6


@pytest.mark.parametrize("bad", ["\ud800", b"bytes", None, 3])
def test_bad_text_is_an_error(mini: Tokenizer, bad: Any) -> None:
    with pytest.raises(RequestError):
        mini.encode(bad)


@pytest.mark.parametrize("bad", [-1, 274, 10**9])
def test_bad_id_is_an_error(mini: Tokenizer, bad: int) -> None:
    with pytest.raises(RequestError, match="outside the vocabulary"):
        mini.decode([1, bad])


def published(test_data: Path) -> list[dict[str, Any]]:
    file = test_data / "qwen2-tokenizer" / "golden-hf-tokenizers.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_published_ids_folder(test_data: Path, r1: Tokenizer) -> None:
    for row in published(test_data):
        assert r1.encode(row["text"]) == row["ids"], row


def test_published_ids_gguf(test_data: Path, r1_gguf: Tokenizer) -> None:
    for row in published(test_data):
        ids = r1_gguf.encode(row["text"])
        assert ids == row.get("ids_without_nfc", row["ids"]), row
        assert r1_gguf.decode(ids) == row["text"]


def test_llama_cpp_vectors(test_data: Path, r1_gguf: Tokenizer) -> None:
    base = test_data / "qwen2-tokenizer" / "llama.cpp-vectors"
    source = (base / "ggml-vocab-qwen2.gguf.inp").read_text("utf-8")
    *texts, rest = source.split("\n__ggml_vocab_test__\n")
    lines = (base / "ggml-vocab-qwen2.gguf.out").read_text("utf-8").splitlines()
    assert (len(texts), rest) == (46, "")
    for text, line in zip(texts, lines, strict=True):
        assert r1_gguf.encode(text) == [int(i) for i in line.split()], text


def test_fingerprints(test_data: Path, r1: Tokenizer, r1_gguf: Tokenizer) -> None:
    file = test_data / "qwen2-tokenizer" / "llama.cpp-vectors" / "chktxt.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    published = data["sha256_of_python_str_of_ids"]
    for tokenizer in (r1, r1_gguf):
        for add, name in ((False, "Qwen1.5"), (True, "DeepSeek-R1")):
            ids = tokenizer.encode(data["text"], add_special=add)
            expected = next(value for key, value in published.items() if name in key)
            assert hashlib.sha256(str(ids).encode()).hexdigest() == expected


def test_published_generation_ids(test_data: Path, r1: Tokenizer, r1_gguf: Tokenizer) -> None:
    file = test_data / "r1-distill-qwen-1.5b" / "golden-generation.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    for tokenizer in (r1, r1_gguf):
        first = data["cases"][0]
        assert tokenizer.encode(first["prompt"]) == first["prompt_ids"]
        assert tokenizer.decode(first["generated_ids"]) == first["generated_text"]
        for case in data["tokenization_only"]:
            assert tokenizer.encode(case["text"]) == case["ids"]


def test_r1_facts(r1: Tokenizer, r1_gguf: Tokenizer) -> None:
    for tokenizer in (r1, r1_gguf):
        assert tokenizer.n_tokens == 151665
        assert tokenizer.bos_id == 151646
        assert tokenizer.eos_ids[0] == 151643
        assert tokenizer.add_bos
        assert tokenizer.control_ids == frozenset(range(151643, 151665))
    assert {151644, 151645, 151648, 151649}.isdisjoint(r1.special_ids)
    assert r1.eos_ids == (151643,)
    # llama.cpp ends an answer at the marks between files, too (<|fim_pad|>, <|repo_name|>, ...).
    assert r1_gguf.eos_ids == (151643, 151662, 151663, 151664)


@given(text=any_text)
def test_r1_sources_agree(r1: Tokenizer, r1_gguf: Tokenizer, text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    assert r1.encode(text) == r1_gguf.encode(text)


@pytest.mark.parametrize("piece", ["a", "_", " ", "🙂", "日本", "QUJD", '{"a":1}', "\n "])
def test_long_texts_round_trip(mini: Tokenizer, piece: str) -> None:
    text = piece * (100_000 // len(piece))
    assert mini.decode(mini.encode(text)) == text
