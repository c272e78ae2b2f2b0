"""Tokenizer files that break a rule: one typed error at load, one file per invariant."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyinfer.errors import (
    ModelFormatError,
    ModelNotFoundError,
    ModelUnsupportedError,
    PyinferError,
)
from pyinfer.text.tokenizer import Tokenizer

Change = Callable[[dict[str, Any]], object]
Writer = Callable[..., Path]

BAD_JSON: dict[str, tuple[Change, type[PyinferError], str]] = {
    "model missing": (lambda r: r.pop("model"), ModelFormatError, "model must be"),
    "model a list": (lambda r: r.update(model=[]), ModelFormatError, "model must be"),
    "unigram": (lambda r: r["model"].update(type="Unigram"), ModelUnsupportedError, "Unigram"),
    "dropout": (lambda r: r["model"].update(dropout=0.1), ModelUnsupportedError, "dropout"),
    "byte fallback": (
        lambda r: r["model"].update(byte_fallback=True),
        ModelUnsupportedError,
        "byte_fallback",
    ),
    "word end": (
        lambda r: r["model"].update(end_of_word_suffix="</w>"),
        ModelUnsupportedError,
        "end_of_word_suffix",
    ),
    "vocab a list": (lambda r: r["model"].update(vocab=[]), ModelFormatError, "vocab must be"),
    "vocab empty": (
        lambda r: r["model"].update(vocab={}, merges=[]),
        ModelFormatError,
        "empty",
    ),
    "missing byte": (lambda r: _rename(r, "A", "he2"), ModelFormatError, "0x41"),
    "foreign letter": (lambda r: _rename(r, "hello", "日本"), ModelFormatError, "byte alphabet"),
    "byte token of another kind": (
        lambda r: _rename(r, "hello", "<0x-1>\n"),
        ModelFormatError,
        "byte alphabet",
    ),
    "empty token": (lambda r: _rename(r, "hello", ""), ModelFormatError, "byte alphabet"),
    "surrogate token": (lambda r: _rename(r, "hello", "\ud800"), ModelFormatError, "alphabet"),
    "long token": (lambda r: _rename(r, "hello", "a" * 5000), ModelFormatError, "5,000 bytes"),
    "sparse ids": (lambda r: _renumber(r, "hello", 300), ModelFormatError, "gaps"),
    "repeated id": (lambda r: _renumber(r, "hello", 3), ModelFormatError, "share one id"),
    "negative id": (lambda r: _renumber(r, "hello", -1), ModelFormatError, "from -1"),
    "huge id": (lambda r: _renumber(r, "hello", 2**63), ModelFormatError, "1048575"),
    "float id": (lambda r: _renumber(r, "hello", 1.5), ModelFormatError, "not an integer"),
    "boolean id": (lambda r: _renumber(r, "hello", True), ModelFormatError, "not an integer"),
    "text id": (lambda r: _renumber(r, "hello", "1"), ModelFormatError, "not an integer"),
    "merges a text": (lambda r: r["model"].update(merges="a b"), ModelFormatError, "merges must"),
    "merge of three": (lambda r: r["model"]["merges"].append("a b c"), ModelFormatError, "pair"),
    "merge of one": (lambda r: r["model"]["merges"].append("ab"), ModelFormatError, "pair"),
    "merge of numbers": (lambda r: r["model"]["merges"].append([1, 2]), ModelFormatError, "pair"),
    "merge of unknown": (lambda r: r["model"]["merges"].append("zz a"), ModelFormatError, "zz"),
    "merge to unknown": (lambda r: r["model"]["merges"].append("z a"), ModelFormatError, "'za'"),
    "added a text": (lambda r: r.update(added_tokens="x"), ModelFormatError, "added_tokens"),
    "added of numbers": (lambda r: r.update(added_tokens=[3]), ModelFormatError, "added_tokens"),
    "added no id": (lambda r: r["added_tokens"][0].pop("id"), ModelFormatError, "id"),
    "added id gap": (lambda r: r["added_tokens"][6].update(id=400), ModelFormatError, "gaps"),
    "added id used": (lambda r: r["added_tokens"][0].update(id=3), ModelFormatError, "shares"),
    "added twice": (
        lambda r: r["added_tokens"][0].update(content="<think>"),
        ModelFormatError,
        "twice",
    ),
    "added empty": (lambda r: r["added_tokens"][0].update(content=""), ModelFormatError, "empty"),
    "added surrogate": (
        lambda r: r["added_tokens"][0].update(content="\udc00"),
        ModelFormatError,
        "surrogate",
    ),
    "added flag": (lambda r: r["added_tokens"][0].update(special=1), ModelFormatError, "special"),
    "special spelled by text": (
        lambda r: r["added_tokens"].append({"id": 256, "content": "he", "special": True}),
        ModelFormatError,
        "can be spelled",
    ),
    "normalizer": (
        lambda r: r.update(normalizer={"type": "Replace", "pattern": {"Regex": "(a+)+"}}),
        ModelUnsupportedError,
        "Replace",
    ),
    "normalizer a list": (lambda r: r.update(normalizer=[1]), ModelFormatError, "malformed"),
    "not byte level": (
        lambda r: r.update(pre_tokenizer={"type": "Digits", "individual_digits": True}),
        ModelUnsupportedError,
        "byte-level",
    ),
    "no pre-tokenizer": (
        lambda r: r.update(pre_tokenizer=None),
        ModelUnsupportedError,
        "byte-level",
    ),
    "metaspace": (
        lambda r: r.update(pre_tokenizer={"type": "Metaspace"}),
        ModelUnsupportedError,
        "Metaspace",
    ),
    "prefix space": (
        lambda r: r["pre_tokenizer"]["pretokenizers"][1].update(add_prefix_space=True),
        ModelUnsupportedError,
        "add_prefix_space",
    ),
    "regex bomb": (
        lambda r: r["pre_tokenizer"]["pretokenizers"][0].update(pattern={"Regex": "(a+)+$"}),
        ModelUnsupportedError,
        "repeats a group",
    ),
    "regex broken": (
        lambda r: r["pre_tokenizer"]["pretokenizers"][0].update(pattern={"Regex": "(a"}),
        ModelFormatError,
        "tokenizer.json",
    ),
    "pre-tokenizer half": (
        lambda r: r["pre_tokenizer"]["pretokenizers"][0].pop("behavior"),
        ModelFormatError,
        "tokenizer.json",
    ),
}


def _rename(root: dict[str, Any], old: str, new: str) -> None:
    model = root["model"]
    model["vocab"] = {new if p == old else p: i for p, i in model["vocab"].items()}
    model["merges"] = [m for m in model["merges"] if m.replace(" ", "") != old]


def _renumber(root: dict[str, Any], piece: str, token_id: object) -> None:
    root["model"]["vocab"][piece] = token_id


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_tokenizer_json(name: str, mini_root: Any, write_folder: Writer) -> None:
    change, error, message = BAD_JSON[name]
    root = copy.deepcopy(mini_root)
    change(root)
    with pytest.raises(error) as caught:
        Tokenizer.from_folder(write_folder(root))
    assert type(caught.value) is error
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '"x"', "null", "{}", "[" * 200_000, '{"model": ' + "9" * 5000 + "}"],
)
def test_bad_json_text(text: str, write_folder: Writer) -> None:
    folder = write_folder()
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(ModelFormatError, match=r"tokenizer\.json"):
        Tokenizer.from_folder(folder)


@pytest.mark.parametrize("name", ["tokenizer_config.json", "generation_config.json"])
def test_bad_companions(name: str, write_folder: Writer) -> None:
    folder = write_folder()
    for content in (b"\xff{}", b"[]", b"{", b"[" * 200_000):
        (folder / name).write_bytes(content)
        with pytest.raises(ModelFormatError, match=name):
            Tokenizer.from_folder(folder)


BAD_CONFIG: list[tuple[dict[str, Any], str]] = [
    ({"bos_token": 3}, "bos_token"),
    ({"bos_token": "<nope>"}, "not in the vocabulary"),
    ({"eos_token": {"content": None}}, "eos_token"),
    ({"add_bos_token": "yes"}, "add_bos_token"),
    ({"chat_template": 3}, "chat_template"),
    ({"chat_template": "x" * (256 * 1024 + 1)}, "262,145"),
    ({"added_tokens_decoder": {"x": {"content": "a"}}}, "not a token id"),
    ({"added_tokens_decoder": {"268": {"content": "other"}}}, "in tokenizer.json"),
    ({"added_tokens_decoder": {"900": {"content": "far"}}}, "gaps"),
    ({"added_tokens_decoder": [1]}, "added_tokens_decoder"),
]


@pytest.mark.parametrize(("config", "message"), BAD_CONFIG)
def test_bad_config(config: dict[str, Any], message: str, write_folder: Writer) -> None:
    with pytest.raises(ModelFormatError, match=message):
        Tokenizer.from_folder(write_folder(config=config))


@pytest.mark.parametrize("value", ["5", -1, 2**40, [1, "x"], 1.5, True, {}])
def test_bad_generation_ids(value: object, write_folder: Writer) -> None:
    """An id that no token has ends nothing; the load report names it."""
    tokenizer = Tokenizer.from_folder(write_folder(generation={"eos_token_id": value}))
    assert tokenizer.eos_ids[1:] == ((1,) if isinstance(value, list) else ())


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no tokenizer\.json"):
        Tokenizer.from_folder(tmp_path)


def test_not_a_regular_file(write_folder: Writer) -> None:
    folder = write_folder()
    (folder / "tokenizer.json").unlink()
    os.mkfifo(folder / "tokenizer.json")
    with pytest.raises(ModelFormatError, match="regular file"):
        Tokenizer.from_folder(folder)


def test_template_file_too_large(write_folder: Writer) -> None:
    with pytest.raises(ModelFormatError, match=r"chat_template\.jinja"):
        Tokenizer.from_folder(write_folder(jinja="x" * (256 * 1024 + 1)))
    assert Tokenizer.from_folder(write_folder(jinja="x" * (256 * 1024))).chat_template


T = "tokenizer.ggml."
BAD_GGUF: list[tuple[str, Change, type[PyinferError]]] = [
    ("model missing", lambda m: m.pop(T + "model"), ModelFormatError),
    ("sentencepiece", lambda m: m.update({T + "model": "llama"}), ModelUnsupportedError),
    ("pre missing", lambda m: m.pop(T + "pre"), ModelUnsupportedError),
    ("pre unknown", lambda m: m.update({T + "pre": "tekken"}), ModelUnsupportedError),
    ("pre a list", lambda m: m.update({T + "pre": ["qwen2"]}), ModelUnsupportedError),
    ("tokens missing", lambda m: m.pop(T + "tokens"), ModelFormatError),
    ("tokens a text", lambda m: m.update({T + "tokens": "abc"}), ModelFormatError),
    ("tokens numbers", lambda m: m.update({T + "tokens": [1, 2]}), ModelFormatError),
    ("tokens no UTF-8", lambda m: m[T + "tokens"].__setitem__(5, b"\xff"), ModelFormatError),
    ("token twice", lambda m: m[T + "tokens"].__setitem__(5, "he"), ModelFormatError),
    ("types missing", lambda m: m.pop(T + "token_type"), ModelFormatError),
    ("types short", lambda m: m[T + "token_type"].pop(), ModelFormatError),
    ("type unknown", lambda m: m[T + "token_type"].__setitem__(5, 9), ModelFormatError),
    ("type byte", lambda m: m[T + "token_type"].__setitem__(5, 6), ModelFormatError),
    ("type a text", lambda m: m[T + "token_type"].__setitem__(5, "1"), ModelFormatError),
    ("byte unused", lambda m: m[T + "token_type"].__setitem__(5, 5), ModelFormatError),
    ("merges missing", lambda m: m.pop(T + "merges"), ModelFormatError),
    ("merge no space", lambda m: m[T + "merges"].append("ab"), ModelFormatError),
    ("merge two spaces", lambda m: m[T + "merges"].append("a  b"), ModelFormatError),
    ("merge half", lambda m: m[T + "merges"].append("a "), ModelFormatError),
    ("merge unknown", lambda m: m[T + "merges"].append("z z"), ModelFormatError),
    ("merge to a control token", lambda m: _spell_control(m), ModelFormatError),
    ("eos a text", lambda m: m.update({T + "eos_token_id": "1"}), ModelFormatError),
    ("eos an array", lambda m: m.update({T + "eos_token_id": np.array([1, 2])}), ModelFormatError),
    ("model an array", lambda m: m.update({T + "model": np.array([1, 2])}), ModelUnsupportedError),
    ("add_bos a number", lambda m: m.update({T + "add_bos_token": 1}), ModelFormatError),
    ("template a number", lambda m: m.update({"tokenizer.chat_template": 1}), ModelFormatError),
    (
        "template long",
        lambda m: m.update({"tokenizer.chat_template": "x" * 262_145}),
        ModelFormatError,
    ),
]


def _spell_control(metadata: dict[str, Any]) -> None:
    metadata[T + "tokens"][-1] = "zz"
    metadata[T + "token_type"][-1] = 3
    metadata[T + "merges"].append("z z")


@pytest.mark.parametrize(("change", "error"), [row[1:] for row in BAD_GGUF], ids=lambda x: "")
def test_bad_gguf(change: Change, error: type[PyinferError], mini_metadata: Any) -> None:
    change(mini_metadata)
    with pytest.raises(error) as caught:
        Tokenizer.from_gguf(mini_metadata)
    assert type(caught.value) is error
    assert "tokenizer." in str(caught.value)


def test_empty_metadata() -> None:
    with pytest.raises(ModelFormatError, match="missing"):
        Tokenizer.from_gguf({})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


def _paths(value: object, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here] if here else []
    keys = value.keys() if isinstance(value, dict) else range(len(value))  # type: ignore[arg-type]
    for key in list(keys)[:20]:
        child = value[key]  # type: ignore[index]
        nested = isinstance(child, (dict, list))
        found += _paths(child, (*here, key)) if nested else [(*here, key)]
    return found


@given(data=st.data(), value=json_values)
def test_any_value_anywhere_is_an_error_or_loads(
    data: st.DataObject, value: Any, mini_root: Any, write_folder: Writer
) -> None:
    root = copy.deepcopy(mini_root)
    *owners, last = data.draw(st.sampled_from(_paths(mini_root)))
    owner: Any = root
    for key in owners:
        owner = owner[key]
    owner[last] = value
    try:
        tokenizer = Tokenizer.from_folder(write_folder(json.dumps(root)))
        tokenizer.decode(tokenizer.encode("hello <think> 日本"))
    except (ModelFormatError, ModelUnsupportedError):
        pass
