"""The tokenizer of a GGUF file as the files of a Hugging Face folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyinfer.convert.vocabulary_pairs import ADDED_TOKENS_KEY
from pyinfer.text.gguf_tokenizer import pre_tokenizer_of, read_gguf
from pyinfer.text.split_pattern import PreTokenizer
from pyinfer.text.vocabulary import AddedPiece, TokenizerParts

_FLAGS = ("special", "lstrip", "rstrip", "single_word", "normalized")


def tokenizer_files(metadata: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return file name -> object of ``tokenizer.json`` and ``tokenizer_config.json``.

    Parameters
    ----------
    metadata : Mapping
        The ``tokenizer.*`` keys and, if the file has them, the flags of the added tokens.

    Raises
    ------
    ModelFormatError, ModelUnsupportedError
        As :func:`~pyinfer.text.gguf_tokenizer.read_gguf`.
    """
    parts = read_gguf(metadata)
    added = _added(parts, metadata.get(ADDED_TOKENS_KEY))
    pre = pre_tokenizer_of(metadata)
    return {
        "tokenizer.json": _tokenizer(parts, added, pre),
        "tokenizer_config.json": _config(parts, added, metadata),
    }


def _added(parts: TokenizerParts, flags: object) -> list[dict[str, Any]]:
    """Added tokens as tokenizer.json lists them, with the original flags where they are known."""
    known = _known_flags(flags)
    return [_entry(piece, known.get(piece.id, {})) for piece in parts.vocabulary.added]


def _entry(piece: AddedPiece, known: Mapping[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": piece.id, "content": piece.content}
    entry |= {name: getattr(piece, name) for name in _FLAGS}
    if known.get("content") == piece.content:
        entry |= {name: known[name] for name in _FLAGS if isinstance(known.get(name), bool)}
    return entry


def _known_flags(text: object) -> dict[int, Mapping[str, Any]]:
    try:
        entries = json.loads(text) if isinstance(text, str) else []
    except (ValueError, RecursionError):
        entries = []
    if not isinstance(entries, list):
        return {}
    return {e["id"]: e for e in entries if isinstance(e, dict) and isinstance(e.get("id"), int)}


def _tokenizer(
    parts: TokenizerParts, added: list[dict[str, Any]], pre: PreTokenizer
) -> dict[str, Any]:
    names = {entry["content"] for entry in added}
    pieces = sorted(parts.vocabulary.pieces.items(), key=lambda item: item[1])
    return tokenizer_json(
        {piece: i for piece, i in pieces if piece not in names},
        [f"{left} {right}" for left, right in parts.vocabulary.merges],
        added,
        pre,
    )


def tokenizer_json(
    pieces: Mapping[str, int],
    merges: Sequence[str],
    added: Sequence[Mapping[str, Any]],
    pre: PreTokenizer,
) -> dict[str, Any]:
    """Return the object of ``tokenizer.json`` of a byte-level BPE vocabulary.

    Parameters
    ----------
    pieces : Mapping
        Token -> id, without the added ones.
    merges : Sequence of str
        ``"left right"``, the first binds most.
    added : Sequence of Mapping
        Added tokens with id, content and flags.
    pre : PreTokenizer
    """
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }
    split = {"type": "Split", "pattern": {"Regex": pre.pattern}, "behavior": "Isolated"}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": list(added),
        "normalizer": {"type": pre.normalizer} if pre.normalizer else None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{**split, "invert": False}, byte_level],
        },
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": pre.ignore_merges,
            "vocab": dict(pieces),
            "merges": list(merges),
        },
    }


def _config(
    parts: TokenizerParts, added: list[dict[str, Any]], metadata: Mapping[str, Any]
) -> dict[str, Any]:
    names = {entry["id"]: entry["content"] for entry in added}
    padding = metadata.get("tokenizer.ggml.padding_token_id")
    config: dict[str, Any] = {
        "add_bos_token": parts.add_bos,
        "add_eos_token": False,
        "added_tokens_decoder": {
            str(entry["id"]): {k: v for k, v in entry.items() if k != "id"} for entry in added
        },
        "bos_token": names.get(parts.bos_id) if parts.bos_id is not None else None,
        "eos_token": names.get(parts.eos_ids[0]) if parts.eos_ids else None,
        "pad_token": names.get(padding) if isinstance(padding, int) else None,
        "clean_up_tokenization_spaces": False,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": None,
    }
    if parts.chat_template is not None:
        config["chat_template"] = parts.chat_template
    return config
