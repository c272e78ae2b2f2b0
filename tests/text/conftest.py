"""Tokenizers for the text tests: a tiny one made here, and the published vocabulary."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from pyinfer.text.byte_alphabet import BYTE_CHARS
from pyinfer.text.tokenizer import Tokenizer

from ..vocabulary import ADDED, added_entries, bpe_json

settings.register_profile(
    "pyinfer-text",
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("pyinfer-text")

MERGES = ["h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "Ã ©", "ð Ł", "ðŁ Ļ", "t h"]


def mini_json() -> dict[str, Any]:
    """A tokenizer.json with 256 byte tokens, a few merges and the special tokens of R1."""
    vocab = {char: n for n, char in enumerate(sorted(BYTE_CHARS))}
    for merge in MERGES:
        vocab[merge.replace(" ", "")] = len(vocab)
    return bpe_json(vocab, MERGES, added_entries(len(vocab), ADDED))


MINI_CONFIG: dict[str, Any] = {
    "add_bos_token": True,
    "bos_token": "<｜begin▁of▁sentence｜>",
    "eos_token": {"content": "<｜end▁of▁sentence｜>"},
    "chat_template": (Path(__file__).parent / "golden" / "r1_chat_template.jinja").read_text(
        encoding="utf-8"
    ),
}


def gguf_metadata(root: dict[str, Any], template: str | None, pre: str) -> dict[str, Any]:
    """The same tokenizer as GGUF metadata, with three padding tokens at the end."""
    by_id = {i: (piece, 1) for piece, i in root["model"]["vocab"].items()}
    for entry in root["added_tokens"]:
        by_id[entry["id"]] = (entry["content"], 3 if entry["special"] else 4)
    first = len(by_id)
    by_id |= {first + n: (f"[PAD{first + n}]", 5) for n in range(3)}
    ids = {entry["content"]: entry["id"] for entry in root["added_tokens"]}
    metadata = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": [by_id[n][0] for n in range(len(by_id))],
        "tokenizer.ggml.token_type": [by_id[n][1] for n in range(len(by_id))],
        "tokenizer.ggml.merges": list(root["model"]["merges"]),
        "tokenizer.ggml.bos_token_id": ids["<｜begin▁of▁sentence｜>"],
        "tokenizer.ggml.eos_token_id": ids["<｜end▁of▁sentence｜>"],
        "tokenizer.ggml.add_bos_token": True,
    }
    if template is not None:
        metadata["tokenizer.chat_template"] = template
    return metadata


@pytest.fixture
def write_folder(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the mini tokenizer, with changes, into a folder."""

    def write(
        root: object = None, config: object = None, generation: object = None, jinja: str = ""
    ) -> Path:
        files = {
            "tokenizer.json": mini_json() if root is None else root,
            "tokenizer_config.json": MINI_CONFIG if config is None else config,
            "generation_config.json": generation,
        }
        for name, content in files.items():
            if content is not None:
                text = content if isinstance(content, str) else json.dumps(content)
                (tmp_path / name).write_text(text, encoding="utf-8")
        if jinja:
            (tmp_path / "chat_template.jinja").write_text(jinja, encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture(scope="session")
def mini_root() -> dict[str, Any]:
    return mini_json()


@pytest.fixture(scope="session")
def mini_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mini")
    (folder / "tokenizer.json").write_text(json.dumps(mini_json()), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(MINI_CONFIG), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def mini(mini_folder: Path) -> Tokenizer:
    return Tokenizer.from_folder(mini_folder)


@pytest.fixture
def mini_metadata() -> dict[str, Any]:
    return gguf_metadata(mini_json(), MINI_CONFIG["chat_template"], "qwen2")


@pytest.fixture(scope="session")
def r1_root(test_data: Path) -> dict[str, Any]:
    """tokenizer.json of R1-Distill-Qwen, made from the published vocabulary and added tokens."""
    source = test_data / "qwen2-tokenizer"
    vocab = json.loads((source / "vocab.json").read_text(encoding="utf-8"))
    merges = (source / "merges.txt").read_text(encoding="utf-8").split("\n")
    config = json.loads(
        (test_data / "r1-distill-qwen-1.5b" / "tokenizer_config.json").read_text(encoding="utf-8")
    )
    added = [{"id": int(key), **entry} for key, entry in config["added_tokens_decoder"].items()]
    return bpe_json(vocab, [m for m in merges if m], added)


@pytest.fixture(scope="session")
def r1_folder(
    r1_root: dict[str, Any], test_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("r1")
    (folder / "tokenizer.json").write_text(json.dumps(r1_root), encoding="utf-8")
    for name in ("tokenizer_config.json", "generation_config.json", "chat_template.jinja"):
        (folder / name).write_bytes((test_data / "r1-distill-qwen-1.5b" / name).read_bytes())
    return folder


@pytest.fixture(scope="session")
def r1(r1_folder: Path) -> Tokenizer:
    return Tokenizer.from_folder(r1_folder)


@pytest.fixture(scope="session")
def r1_gguf(r1_root: dict[str, Any]) -> Tokenizer:
    return Tokenizer.from_gguf(gguf_metadata(r1_root, None, "deepseek-r1-qwen"))
