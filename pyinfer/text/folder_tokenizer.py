"""Read a tokenizer from a Hugging Face folder.

Files: ``tokenizer.json`` (required), ``tokenizer_config.json``, ``generation_config.json``,
``chat_template.jinja``. Everything else in the folder is left alone; nothing is executed.
"""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from pyinfer.errors import ModelFormatError, ModelNotFoundError, ModelUnsupportedError
from pyinfer.text.end_tokens import END_NAMES
from pyinfer.text.split_pattern import check_split_pattern
from pyinfer.text.vocabulary import (
    MAX_ADDED_TOKENS,
    MAX_MERGES,
    MAX_TOKENS,
    AddedPiece,
    TokenizerParts,
    Vocabulary,
    check_token_id,
    lost_tags,
    package_call,
    require_text,
)

MAX_TOKENIZER_BYTES = 64 << 20
MAX_CONFIG_BYTES = 16 << 20
MAX_TEMPLATE_BYTES = 256 << 10

_NORMALIZERS = {"NFC", "NFD", "NFKC", "NFKD", "Sequence"}
_PRE_TOKENIZERS = {"Split", "Digits", "ByteLevel", "Sequence"}


def read_folder(folder: Path) -> TokenizerParts:
    """Read and check the tokenizer files of ``folder``.

    Raises
    ------
    ModelNotFoundError
        There is no ``tokenizer.json``.
    ModelFormatError, ModelUnsupportedError
        A file is damaged, or asks for something other than byte-level BPE.
    """
    text = _read_text(folder, "tokenizer.json", MAX_TOKENIZER_BYTES)
    if text is None:
        raise ModelNotFoundError(
            f"{folder.name}: no tokenizer.json", hint="Only token ids can be used with this model"
        )
    root = _parse_object(text, "tokenizer.json")
    config = _read_object(folder, "tokenizer_config.json")
    generation = _read_object(folder, "generation_config.json")
    vocabulary = _vocabulary(root, config)
    backend = vocabulary.build(_template_backend(root))
    bos_id, eos_ids = _boundary_ids(vocabulary, config, generation)
    template = _chat_template(folder, config)
    turn_ends = _turn_ends(vocabulary, template, eos_ids)
    add_bos = config.get("add_bos_token")
    if add_bos is None:
        # transformers 5 saves no such key, and a tokenizer.json that adds nothing.
        add_bos = _post_processor_adds(root.get("post_processor"), bos_id, vocabulary) or (
            template is not None and re.search(r"\bbos_token\b", template) is not None
        )
    elif not isinstance(add_bos, bool):
        raise ModelFormatError("tokenizer_config.json: add_bos_token must be true or false")
    return TokenizerParts(
        backend=backend,
        vocabulary=vocabulary,
        bos_id=bos_id,
        eos_ids=TokenizerParts.union((*eos_ids, *turn_ends.values())),
        add_bos=add_bos and bos_id is not None,
        chat_template=template,
        notes=tuple(
            f"end of turn: {name} too, by the chat template; no eos of the folder names it"
            for name in turn_ends
        ),
    )


def _read_text(folder: Path, name: str, limit: int) -> str | None:
    path = folder / name
    try:
        info = path.stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelFormatError(f"{name}: {error}") from None
    if not stat.S_ISREG(info.st_mode):
        raise ModelFormatError(f"{name} is not a regular file")
    if info.st_size > limit:
        raise ModelFormatError(f"{name} has {info.st_size:,} bytes, the limit is {limit:,}")
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise ModelFormatError(f"{name} is larger than the limit of {limit:,} bytes")
        return data.decode("utf-8")
    except OSError as error:
        raise ModelFormatError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ModelFormatError(f"{name}: byte {error.start} is not UTF-8") from None


def _parse_object(text: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except RecursionError:
        raise ModelFormatError(f"{name}: nested too deeply") from None
    except ValueError as error:
        raise ModelFormatError(f"{name}: {error}") from None
    if not isinstance(value, dict):
        raise ModelFormatError(f"{name} must hold an object, found {type(value).__name__}")
    return value


def _read_object(folder: Path, name: str) -> dict[str, Any]:
    text = _read_text(folder, name, MAX_CONFIG_BYTES)
    return {} if text is None else _parse_object(text, name)


def _member(owner: dict[str, Any], key: str, kind: type, where: str) -> Any:
    value = owner.get(key)
    if not isinstance(value, kind):
        raise ModelFormatError(
            f"{where}: {key} must be of type {kind.__name__}, found {type(value).__name__}"
        )
    return value


def _vocabulary(root: dict[str, Any], config: dict[str, Any]) -> Vocabulary:
    model = _member(root, "model", dict, "tokenizer.json")
    kind = model.get("type", "BPE" if "merges" in model else None)
    if kind != "BPE":
        raise ModelUnsupportedError(
            f"tokenizer.json: model type {kind!r} is not supported", hint="Supported: 'BPE'"
        )
    for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model.get(key):
            raise ModelUnsupportedError(f"tokenizer.json: model: {key} is not supported")
    pieces = _member(model, "vocab", dict, "tokenizer.json: model")
    if len(pieces) > MAX_TOKENS:
        raise ModelFormatError(f"tokenizer.json: {len(pieces):,} tokens, limit {MAX_TOKENS:,}")
    added = root.get("added_tokens") or []
    if not isinstance(added, list):
        raise ModelFormatError("tokenizer.json: added_tokens must be a list")
    tokens = [_added(entry, "tokenizer.json: added_tokens") for entry in added[: MAX_TOKENS + 1]]
    _extend_from_config(tokens, config)
    merges = _merges(_member(model, "merges", list, "tokenizer.json: model"))
    listed = {piece.content for piece in tokens}
    for tag in sorted(lost_tags(pieces.keys() - listed, merges)):
        tokens.append(AddedPiece(check_token_id(pieces[tag], MAX_TOKENS, tag), tag, special=False))
    return Vocabulary(
        where="tokenizer.json",
        pieces=pieces,
        merges=merges,
        added=tokens,
        ignore_merges=bool(model.get("ignore_merges")),
    )


def _merges(merges: list[Any]) -> list[tuple[str, str]]:
    if len(merges) > MAX_MERGES:
        raise ModelFormatError(f"tokenizer.json: {len(merges):,} merges, limit {MAX_MERGES:,}")
    pairs: list[tuple[str, str]] = []
    for number, merge in enumerate(merges):
        parts = merge.split(" ") if isinstance(merge, str) else merge
        if (
            not isinstance(parts, list)
            or len(parts) != 2
            or not (isinstance(parts[0], str) and isinstance(parts[1], str))
        ):
            raise ModelFormatError(f"tokenizer.json: merge {number} is not a pair of tokens")
        pairs.append((parts[0], parts[1]))
    return pairs


def _added(entry: object, where: str, token_id: int | None = None) -> AddedPiece:
    if not isinstance(entry, dict):
        raise ModelFormatError(f"{where}: an entry is not an object")
    content = require_text(entry.get("content"), f"{where}: content")
    flags: dict[str, bool] = {}
    for name in ("special", "lstrip", "rstrip", "single_word", "normalized"):
        value = entry.get(name, name == "normalized" and not entry.get("special"))
        if not isinstance(value, bool):
            raise ModelFormatError(f"{where}: {content[:80]!r}: {name} must be true or false")
        flags[name] = value
    found = entry.get("id") if token_id is None else token_id
    return AddedPiece(
        id=check_token_id(found, MAX_TOKENS, f"{where}: id"), content=content, **flags
    )


def _extend_from_config(tokens: list[AddedPiece], config: dict[str, Any]) -> None:
    """Add what only ``added_tokens_decoder`` of tokenizer_config.json lists."""
    decoder = config.get("added_tokens_decoder") or {}
    where = "tokenizer_config.json: added_tokens_decoder"
    if not isinstance(decoder, dict) or len(decoder) > MAX_ADDED_TOKENS:
        raise ModelFormatError(f"{where} must be an object of at most {MAX_ADDED_TOKENS:,} tokens")
    by_id = {piece.id: piece for piece in tokens}
    for key, entry in decoder.items():
        if not (key.isascii() and key.isdigit() and len(key) < 10):
            raise ModelFormatError(f"{where}: {key[:40]!r} is not a token id")
        piece = _added(entry, where, int(key))
        known = by_id.get(piece.id)
        if known is None:
            tokens.append(piece)
        elif known.content != piece.content:
            raise ModelFormatError(
                f"{where}: token {piece.id} is {piece.content[:80]!r}, "
                f"but {known.content[:80]!r} in tokenizer.json"
            )


def _template_backend(root: dict[str, Any]) -> Backend:
    """Let the package parse normalizer and pre-tokenizer, after checking what they contain."""
    _check_component(root.get("normalizer"), "normalizer", "normalizers", _NORMALIZERS)
    found = _check_component(
        root.get("pre_tokenizer"), "pre_tokenizer", "pretokenizers", _PRE_TOKENIZERS
    )
    if "ByteLevel" not in found:
        raise ModelUnsupportedError(
            "tokenizer.json: pre_tokenizer is not byte-level",
            hint="Supported: byte-level BPE as in Qwen2",
        )
    shell: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": root.get("normalizer"),
        "pre_tokenizer": root.get("pre_tokenizer"),
        "post_processor": None,
        "decoder": None,
        "model": {"type": "BPE", "vocab": {}, "merges": []},
    }
    return package_call(lambda: Backend.from_str(json.dumps(shell)), "tokenizer.json")


def _check_component(value: object, key: str, list_key: str, allowed: set[str]) -> set[str]:
    """Return the types used in a normalizer or pre-tokenizer; refuse those not in ``allowed``."""
    found: set[str] = set()
    pending: list[object] = [] if value is None else [value]
    while pending:
        part = pending.pop()
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(part, dict) or not isinstance(kind, str):
            raise ModelFormatError(f"tokenizer.json: {key} is malformed")
        if kind not in allowed:
            raise ModelUnsupportedError(f"tokenizer.json: {key} of type {kind!r} is not supported")
        found.add(kind)
        if kind == "Sequence":
            inner = part.get(list_key)
            if not isinstance(inner, list) or len(inner) > 16:
                raise ModelFormatError(f"tokenizer.json: {key}: {list_key} must be a short list")
            pending.extend(inner)
        elif kind == "Split":
            pattern = part.get("pattern")
            if isinstance(pattern, dict) and "Regex" in pattern:
                check_split_pattern(
                    require_text(pattern["Regex"], f"tokenizer.json: {key}: pattern")
                )
        elif kind == "ByteLevel" and part.get("add_prefix_space"):
            raise ModelUnsupportedError(f"tokenizer.json: {key}: add_prefix_space is not supported")
    return found


def _boundary_ids(
    vocabulary: Vocabulary, config: dict[str, Any], generation: dict[str, Any]
) -> tuple[int | None, tuple[int, ...]]:
    """Return BOS, and the union of all ends, tokenizer_config.json first."""
    by_name = {**vocabulary.pieces, **{piece.content: piece.id for piece in vocabulary.added}}
    ids: dict[str, list[int]] = {"bos": [], "eos": []}
    for kind, found in ids.items():
        entry = config.get(f"{kind}_token")
        if entry is not None:
            where = f"tokenizer_config.json: {kind}_token"
            name = require_text(entry.get("content") if isinstance(entry, dict) else entry, where)
            if name not in by_name:
                raise ModelFormatError(f"{where} {name[:80]!r} is not in the vocabulary")
            found.append(by_name[name])
        value = generation.get(f"{kind}_token_id")
        for item in value if isinstance(value, list) else [value]:
            # An id that no token has does nothing; the load report names it.
            if type(item) is int and 0 <= item < vocabulary.n_tokens:
                found.append(item)
    return ids["bos"][0] if ids["bos"] else None, TokenizerParts.union(ids["eos"])


def _turn_ends(
    vocabulary: Vocabulary, template: str | None, eos_ids: tuple[int, ...]
) -> dict[str, int]:
    """Ends of a turn that the chat template writes and the files do not name, name to id."""
    return {
        piece.content: piece.id
        for piece in vocabulary.added
        if template is not None
        and piece.content in END_NAMES
        and piece.content in template
        and piece.id not in eos_ids
    }


def _post_processor_adds(value: object, bos_id: int | None, vocabulary: Vocabulary) -> bool:
    """True if a template post-processor puts BOS in front of a single text."""
    names = {piece.content for piece in vocabulary.added if piece.id == bos_id}
    parts = [value]
    if isinstance(value, dict) and isinstance(value.get("processors"), list):
        parts = value["processors"]
    for part in parts:
        if isinstance(part, dict) and part.get("type") == "TemplateProcessing":
            single = part.get("single")
            first = single[0] if isinstance(single, list) and single else None
            token = first.get("SpecialToken") if isinstance(first, dict) else None
            return isinstance(token, dict) and token.get("id") in names
    return False


def _chat_template(folder: Path, config: dict[str, Any]) -> str | None:
    for name in ("chat_template.jinja", "additional_chat_templates/default.jinja"):
        text = _read_text(folder, name, MAX_TEMPLATE_BYTES)
        if text is not None:
            return text
    value = config.get("chat_template")
    where = "tokenizer_config.json: chat_template"
    if isinstance(value, list):
        named = {e.get("name"): e.get("template") for e in value if isinstance(e, dict)}
        value = named.get("default")
    if value is None:
        return None
    text = require_text(value, where)
    if len(text.encode()) > MAX_TEMPLATE_BYTES:
        raise ModelFormatError(
            f"{where} has {len(text.encode()):,} bytes, the limit is {MAX_TEMPLATE_BYTES:,}"
        )
    return text


def read_chat_template(folder: Path) -> str | None:
    """The chat template of a folder, without its tokenizer; errors as :func:`read_folder`."""
    return _chat_template(folder, _read_object(folder, "tokenizer_config.json"))
