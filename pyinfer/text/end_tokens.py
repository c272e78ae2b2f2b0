"""Which tokens end an answer, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyinfer.errors import ModelFormatError

# Names that llama.cpp (b11434) takes for ends of a turn or a text in every GGUF file, besides those
# that the keys of the file name. Files whose eos key names only one of two ends are common.
END_NAMES = frozenset(
    {
        *(
            "<|eot_id|>",
            "<|im_end|>",
            "<|end|>",
            "<|return|>",
            "<|call|>",
            "<|flush|>",
            "<|calls|>",
        ),
        *("<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]"),
        *("[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>"),
        *("<｜end▁of▁sentence｜>", "[e~["),
    }
)
# Behind these, fill-in-the-middle models begin another file. Key -> names, the first one counts.
_FILE_ENDS = {
    "fim_pad_token_id": ("<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"),
    "fim_rep_token_id": ("<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"),
    "fim_sep_token_id": ("<|file_sep|>",),
}
_END_KEYS = ("eos_token_id", "eot_token_id", "eom_token_id")


def gguf_ends(metadata: Mapping[str, Any], ids: Mapping[str, int]) -> tuple[int, ...]:
    """Tokens that end an answer of a GGUF file, as llama.cpp finds them.

    Parameters
    ----------
    metadata : Mapping
        Keys ``tokenizer.ggml.*``. An id that is no token is passed over.
    ids : Mapping of str to int
        Tokens by name; those in :func:`names_of_interest` suffice.

    Returns
    -------
    tuple of int
        Those of the keys first, then the others, ascending.
    """
    n_tokens = len(metadata.get("tokenizer.ggml.tokens", ()))
    keyed = {key: gguf_id(metadata, key, n_tokens) for key in (*_END_KEYS, *_FILE_ENDS)}
    first = [found for key in _END_KEYS if (found := keyed[key]) is not None]
    named = {ids[name] for name in END_NAMES if name in ids}
    for key, names in _FILE_ENDS.items():
        found = keyed[key]
        if found is None:
            found = next((ids[name] for name in names if name in ids), None)
        named |= set() if found is None else {found}
    for id_ in _no_ends(ids):
        named.discard(id_)
        first = [found for found in first if found != id_]
    return tuple(dict.fromkeys([*first, *sorted(named)]))


def names_of_interest() -> frozenset[str]:
    """Every name that :func:`gguf_ends` looks for."""
    return END_NAMES.union(*_FILE_ENDS.values(), {"<|plamo:eos|>"})


def _no_ends(ids: Mapping[str, int]) -> list[int]:
    """Names that mean something else beside certain others."""
    calls = any(name in ids for name in ("<|call|>", "<|calls|>"))
    harmony = calls and any(name in ids for name in ("<|return|>", "<|flush|>"))
    tags = "<|tool_response>" in ids or "<|plamo:eos|>" in ids
    names = [name for name, no_end in (("<|end|>", harmony), ("</s>", tags)) if no_end]
    return [ids[name] for name in names if name in ids]


def gguf_id(metadata: Mapping[str, Any], key: str, n_tokens: int) -> int | None:
    """The token that a key names; None if it is missing or names none, as in llama.cpp.

    Raises
    ------
    ModelFormatError
        It is no integer.
    """
    value = metadata.get(f"tokenizer.ggml.{key}")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ModelFormatError(
            f"tokenizer.ggml.{key} must be an integer, found {type(value).__name__}"
        )
    return value if 0 <= value < n_tokens else None
