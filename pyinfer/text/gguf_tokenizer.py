"""Build a tokenizer from the metadata of a GGUF file (keys ``tokenizer.*``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Regex, models, pre_tokenizers
from tokenizers import Tokenizer as Backend

from pyinfer.errors import ModelFormatError, ModelUnsupportedError
from pyinfer.text.end_tokens import END_NAMES, gguf_ends, gguf_id
from pyinfer.text.folder_tokenizer import MAX_TEMPLATE_BYTES
from pyinfer.text.split_pattern import GGUF_PRE, PreTokenizer
from pyinfer.text.vocabulary import (
    MAX_MERGES,
    MAX_TOKENS,
    AddedPiece,
    TokenizerParts,
    Vocabulary,
    lost_tags,
    require_text,
)

# Token types of the GGUF format.
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED = 1, 2, 3, 4, 5


def read_gguf(metadata: Mapping[str, Any]) -> TokenizerParts:
    """Read and check the tokenizer in GGUF ``metadata``.

    Parameters
    ----------
    metadata : Mapping
        Key to value. String arrays may be any sequence of str or UTF-8 bytes.

    Raises
    ------
    ModelUnsupportedError
        Another model type than byte-level BPE, or an unknown pre-tokenizer.
    ModelFormatError
        A key is missing or wrong, or the vocabulary breaks a rule.
    """
    pre = pre_tokenizer_of(metadata)
    vocabulary = _vocabulary(metadata, pre.ignore_merges)
    backend = Backend(models.BPE())
    # Text is taken as it is: no Unicode normalization, as in every other reader of this format.
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pre.pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    n_tokens = vocabulary.n_tokens
    add_bos = metadata.get("tokenizer.ggml.add_bos_token", pre.add_bos)
    if not isinstance(add_bos, bool):
        raise ModelFormatError("tokenizer.ggml.add_bos_token must be a boolean")
    bos_id = gguf_id(metadata, "bos_token_id", n_tokens)
    template = metadata.get("tokenizer.chat_template")
    if template is not None:
        template = require_text(template, "tokenizer.chat_template")
        if len(template.encode()) > MAX_TEMPLATE_BYTES:
            raise ModelFormatError(
                f"tokenizer.chat_template has {len(template.encode()):,} bytes, "
                f"the limit is {MAX_TEMPLATE_BYTES:,}"
            )
    return TokenizerParts(
        backend=vocabulary.build(backend),
        vocabulary=vocabulary,
        bos_id=bos_id,
        eos_ids=_ends(metadata, vocabulary),
        add_bos=add_bos and bos_id is not None,
        chat_template=template,
        chat_bos=add_bos and bos_id is not None,
    )


def pre_tokenizer_of(metadata: Mapping[str, Any]) -> PreTokenizer:
    """Return what cuts text into words.

    Raises
    ------
    ModelFormatError, ModelUnsupportedError
        As :func:`read_gguf`.
    """
    model = metadata.get("tokenizer.ggml.model")
    if model is None:
        raise ModelFormatError("tokenizer.ggml.model is missing")
    if not isinstance(model, str) or model != "gpt2":
        raise ModelUnsupportedError(
            f"tokenizer.ggml.model {_shown(model)} is not supported",
            hint="Supported: 'gpt2' (byte-level BPE)",
        )
    pre = metadata.get("tokenizer.ggml.pre")
    if not isinstance(pre, str) or pre not in GGUF_PRE:
        raise ModelUnsupportedError(
            "tokenizer.ggml.pre is missing: how text is cut into words is not known"
            if pre is None
            else f"tokenizer.ggml.pre {_shown(pre)} is not supported",
            hint="name it (--pre NAME, pyinfer.load(pre=NAME)): " + ", ".join(sorted(GGUF_PRE)),
        )
    return GGUF_PRE[pre]


def _shown(value: object) -> str:
    return repr(value)[:80]


def _array(metadata: Mapping[str, Any], key: str, limit: int) -> Sequence[Any]:
    value = metadata.get(key)
    if value is None:
        raise ModelFormatError(f"{key} is missing")
    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__len__"):
        raise ModelFormatError(f"{key} must be an array, found {type(value).__name__}")
    if len(value) > limit:
        raise ModelFormatError(f"{key} has {len(value):,} elements, the limit is {limit:,}")
    return value  # type: ignore[no-any-return]


def _strings(metadata: Mapping[str, Any], key: str, limit: int) -> list[str]:
    items = list(_array(metadata, key, limit))
    if all(type(item) is str for item in items):
        return items
    strings: list[str] = []
    for number, item in enumerate(items):
        if type(item) is bytes:
            try:
                strings.append(item.decode("utf-8"))
            except UnicodeDecodeError:
                raise ModelFormatError(f"{key}[{number}] is not UTF-8") from None
        elif isinstance(item, str):
            strings.append(item)
        else:
            raise ModelFormatError(f"{key}[{number}] must be a string")
    return strings


def _vocabulary(metadata: Mapping[str, Any], ignore_merges: bool) -> Vocabulary:
    tokens = _strings(metadata, "tokenizer.ggml.tokens", MAX_TOKENS)
    types = [int(kind) for kind in _integers(metadata, "tokenizer.ggml.token_type", MAX_TOKENS)]
    if len(types) != len(tokens):
        raise ModelFormatError(
            f"tokenizer.ggml.token_type has {len(types):,} entries for {len(tokens):,} tokens"
        )
    where = "tokenizer.ggml.tokens"
    merges = _merges(metadata)
    plain = (t for t, kind in zip(tokens, types, strict=True) if kind in (_NORMAL, _UNUSED))
    lost = lost_tags(plain, merges)
    ends = END_NAMES.intersection(tokens).difference(left + right for left, right in merges)
    pieces: dict[str, int] = {}
    added: list[AddedPiece] = []
    unused: list[int] = []
    for number, (token, kind) in enumerate(zip(tokens, types, strict=True)):
        if token in lost:
            kind = _USER_DEFINED
        elif token in ends:
            kind = _CONTROL
        if kind == _UNUSED:
            unused.append(number)
            continue
        if kind != _NORMAL:
            if kind not in (_UNKNOWN, _CONTROL, _USER_DEFINED):
                raise ModelFormatError(f"tokenizer.ggml.token_type[{number}] is {kind}")
            require_text(token, f"{where}[{number}]")
            added.append(AddedPiece(number, token, special=kind != _USER_DEFINED))
        # Added tokens are entered too, which fixes their ids; no merge may lead to them.
        if pieces.setdefault(token, number) != number:
            raise ModelFormatError(
                f"{where}: {token[:80]!r} appears twice, at {pieces[token]} and {number}"
            )
    if ignore_merges:
        _drop_last(pieces, added)
    return Vocabulary(
        where=where,
        pieces=pieces,
        merges=merges,
        added=added,
        unused=frozenset(unused),
        ignore_merges=ignore_merges,
    )


def _drop_last(pieces: dict[str, int], added: list[AddedPiece]) -> None:
    """Take added tokens out of the ordinary ones, whose names become tokens without merges.

    Behind all ordinary tokens they get their ids by their order alone.
    """
    first = len(pieces) - len(added)
    if [piece.id for piece in added] == list(range(first, len(pieces))):
        for piece in added:
            del pieces[piece.content]


def _ends(metadata: Mapping[str, Any], vocabulary: Vocabulary) -> tuple[int, ...]:
    # A name that ordinary text becomes ends nothing: Qwen2 spells HTML with a token "</s>".
    ids = {piece.content: piece.id for piece in vocabulary.added}
    return tuple(id_ for id_ in gguf_ends(metadata, ids) if id_ < vocabulary.n_tokens)


def _integers(metadata: Mapping[str, Any], key: str, limit: int) -> list[Any]:
    values = list(_array(metadata, key, limit))
    if values and not all(hasattr(v, "__index__") for v in values):
        raise ModelFormatError(f"{key} must hold integers")
    return values


def _merges(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    key = "tokenizer.ggml.merges"
    pairs: list[tuple[str, str]] = []
    for number, merge in enumerate(_strings(metadata, key, MAX_MERGES)):
        left, space, right = merge.partition(" ")
        if not space or not left or not right or " " in right:
            raise ModelFormatError(f"{key}[{number}] {merge[:80]!r} is not two tokens and a space")
        pairs.append((left, right))
    return pairs
