"""The tokenizer of a folder as GGUF metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import models

from pyinfer.checkpoint.gguf_header import ARRAY, BOOL, STRING, UINT32
from pyinfer.checkpoint.json_file import read_json_object
from pyinfer.checkpoint.limits import MAX_INDEX_BYTES
from pyinfer.convert.gguf_writer import Pair
from pyinfer.errors import ModelFormatError, ModelUnsupportedError
from pyinfer.text.folder_tokenizer import MAX_TOKENIZER_BYTES, read_folder
from pyinfer.text.split_pattern import GGUF_PRE, LLAMA3_SPLIT, QWEN2_SPLIT
from pyinfer.text.vocabulary import AddedPiece, TokenizerParts, Vocabulary

#: The added tokens with the flags that GGUF has no place for, as JSON; read by ``to_folder``.
ADDED_TOKENS_KEY = "pyinfer.tokenizer.added_tokens"

_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5
_R1_USER = "<｜User｜>"
# GGUF has three places for tokens that end an answer.
_END_KEYS = ("eos_token_id", "eot_token_id", "eom_token_id")


def vocabulary_pairs(folder: Path, vocab_size: int) -> list[Pair]:
    """Return the ``tokenizer.*`` keys for a folder with a ``tokenizer.json``.

    Parameters
    ----------
    folder : Path
    vocab_size : int
        Rows of the embedding; ids beyond the tokenizer's become unused tokens.

    Raises
    ------
    ModelFormatError, ModelUnsupportedError
        The tokenizer is damaged, is bigger than the embedding, or does something that GGUF cannot
        express.
    """
    parts = read_folder(folder)
    vocabulary = parts.vocabulary
    if vocabulary.n_tokens > vocab_size:
        raise ModelFormatError(
            f"the tokenizer has {vocabulary.n_tokens} tokens, the embedding {vocab_size} rows",
            hint="tokenizer and weights belong to different models",
        )
    pre = _pre_tokenizer(folder, vocabulary)
    tokens, types = _tokens(parts, vocab_size)
    merges = [f"{left} {right}" for left, right in vocabulary.merges]
    pairs = [
        Pair("tokenizer.ggml.model", STRING, "gpt2"),
        Pair("tokenizer.ggml.pre", STRING, pre),
        Pair("tokenizer.ggml.tokens", ARRAY, tokens),
        Pair("tokenizer.ggml.token_type", ARRAY, np.array(types, "<i4")),
        Pair("tokenizer.ggml.merges", ARRAY, merges),
        *_boundaries(folder, parts),
        Pair(ADDED_TOKENS_KEY, STRING, _flags(vocabulary.added)),
    ]
    if parts.chat_template is not None:
        pairs.append(Pair("tokenizer.chat_template", STRING, parts.chat_template))
    return pairs


def _pre_tokenizer(folder: Path, vocabulary: Vocabulary) -> str:
    """GGUF names the rule that makes words and tokens, so only a known one can be written."""
    pattern = _pattern(folder)
    r1 = any(piece.content == _R1_USER for piece in vocabulary.added)
    names = {QWEN2_SPLIT: "deepseek-r1-qwen" if r1 else "qwen2", LLAMA3_SPLIT: "llama-bpe"}
    if pattern not in names:
        raise ModelUnsupportedError(
            "tokenizer.json: the pre-tokenizer is neither that of Qwen2 nor that of Llama 3, and "
            "GGUF has no name for it"
        )
    pre = names[pattern]
    if vocabulary.ignore_merges != GGUF_PRE[pre].ignore_merges:
        _check_merges(vocabulary, pre)
    return pre


def _check_merges(vocabulary: Vocabulary, pre: str) -> None:
    """Where merges lead to every token, it makes no difference whether they are ignored."""
    model = models.BPE(vocabulary.pieces, vocabulary.merges)
    for piece in vocabulary.pieces:
        if len(model.tokenize(piece)) != 1:
            raise ModelUnsupportedError(
                f"tokenizer.json: ignore_merges is {str(vocabulary.ignore_merges).lower()}, and no "
                f"merge leads to the token {piece[:80]!r}: readers of {pre!r} would treat it "
                "otherwise"
            )


def _pattern(folder: Path) -> str | None:
    """The pattern that cuts text into words, if nothing else does."""
    root = read_json_object(folder / "tokenizer.json", MAX_TOKENIZER_BYTES)
    found: list[str] = []
    pending: list[Any] = [root.get("pre_tokenizer")]
    while pending:
        part = pending.pop()
        if not isinstance(part, dict):
            continue
        pending += part.get("pretokenizers") or []
        if part.get("type") == "Split":
            found.append((part.get("pattern") or {}).get("Regex", ""))
        elif part.get("type") == "Digits" or part.get("use_regex"):
            found.append(str(part.get("type")))
    return found[0] if len(found) == 1 else None


def _tokens(parts: TokenizerParts, vocab_size: int) -> tuple[list[str], list[int]]:
    tokens = [f"[PAD{i}]" for i in range(vocab_size)]
    types = [_UNUSED] * vocab_size
    for piece, i in parts.vocabulary.pieces.items():
        tokens[i], types[i] = piece, _NORMAL
    for added in parts.vocabulary.added:
        tokens[added.id] = added.content
        types[added.id] = _CONTROL if _is_control(added) else _USER_DEFINED
    return tokens, types


def _is_control(piece: AddedPiece) -> bool:
    """As llama.cpp's converter: special by flag, or by the look of its name."""
    name = piece.content
    return piece.special or (
        name.startswith(("<|", "<｜")) and name.endswith(("|>", "｜>")) and len(name) > 4
    )


def _boundaries(folder: Path, parts: TokenizerParts) -> list[Pair]:
    ids: dict[str, int] = {}
    if parts.bos_id is not None:
        ids["bos_token_id"] = parts.bos_id
    ids |= dict(zip(_END_KEYS, parts.eos_ids, strict=False))
    padding = _padding_id(folder, parts)
    if padding is not None:
        ids["padding_token_id"] = padding
    pairs = [Pair(f"tokenizer.ggml.{key}", UINT32, id_) for key, id_ in ids.items()]
    return [
        *pairs,
        Pair("tokenizer.ggml.add_bos_token", BOOL, parts.add_bos),
        Pair("tokenizer.ggml.add_eos_token", BOOL, False),
    ]


def _padding_id(folder: Path, parts: TokenizerParts) -> int | None:
    path = folder / "tokenizer_config.json"
    if not path.exists():
        return None
    token = read_json_object(path, MAX_INDEX_BYTES).get("pad_token")
    name = token.get("content") if isinstance(token, dict) else token
    return next((p.id for p in parts.vocabulary.added if p.content == name), None)


def _flags(added: list[AddedPiece]) -> str:
    fields = ("id", "content", "special", "lstrip", "rstrip", "single_word", "normalized")
    return json.dumps(
        [{name: getattr(piece, name) for name in fields} for piece in added],
        ensure_ascii=False,
        separators=(",", ":"),
    )
