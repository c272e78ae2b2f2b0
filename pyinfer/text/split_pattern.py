"""Regular expressions that cut text into words before byte-pair encoding.

A pattern from a model file runs on every prompt in a backtracking engine, so a hostile one could
hang the process. Patterns in wide use are accepted by value; any other must be simple enough that
it cannot backtrack exponentially.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyinfer.errors import ModelUnsupportedError

#: Qwen2 and DeepSeek-R1-Distill-Qwen: one digit per token.
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

#: Llama 3 and DeepSeek-R1-Distill-Llama: up to three digits per token.
LLAMA3_SPLIT = QWEN2_SPLIT.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


@dataclass(frozen=True, slots=True)
class PreTokenizer:
    """What the name of a pre-tokenizer in a GGUF file stands for.

    Attributes
    ----------
    pattern : str
        How text becomes words.
    ignore_merges : bool
        A word that is a token is taken as it is.
    add_bos : bool
        BOS comes first in files that do not say.
    normalizer : str or None
        What published folders with this vocabulary normalize by; GGUF has no place for it.
    """

    pattern: str
    ignore_merges: bool = False
    add_bos: bool = False
    normalizer: str | None = None


_QWEN2 = PreTokenizer(QWEN2_SPLIT, normalizer="NFC")
_LLAMA3 = PreTokenizer(LLAMA3_SPLIT, ignore_merges=True, add_bos=True)

#: ``tokenizer.ggml.pre`` of GGUF files that are read.
GGUF_PRE = {
    "qwen2": _QWEN2,
    "deepseek-r1-qwen": _QWEN2,
    "llama-bpe": _LLAMA3,
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
}

MAX_PATTERN_CHARS = 1024
#: Unbounded repeats in one alternative; k of them cost at most O(n^k) on text of length n.
MAX_REPEATS = 3


def check_split_pattern(pattern: str) -> None:
    """Accept ``pattern`` or raise ModelUnsupportedError.

    Besides :data:`QWEN2_SPLIT` and :data:`LLAMA3_SPLIT`, a pattern passes if it is short, has no
    back-references, no repeated group, and at most three unbounded repeats between two ``|``.
    """
    if pattern in (QWEN2_SPLIT, LLAMA3_SPLIT):
        return
    if len(pattern) > MAX_PATTERN_CHARS:
        raise _refused(f"is {len(pattern):,} characters long, the limit is {MAX_PATTERN_CHARS:,}")
    # Character classes and escapes become single letters, so that what is left is structure only.
    plain = re.sub(r"\\[pP]\{[^}]*\}", "x", pattern)
    if re.search(r"\\(?:[1-9]|[kgGXRK])", plain):
        raise _refused("has a back-reference or a construct that may backtrack without bound")
    plain = re.sub(r"\\.", "x", plain)
    plain = re.sub(r"\[\^?\]?[^\[\]]*\]", "x", plain)
    if "[" in plain or "&&" in plain:
        raise _refused("has a nested character class")
    if re.search(r"\)[*+{]", plain):
        raise _refused("repeats a group")
    if any(len(re.findall(r"[*+]|\{\d*,\d*\}", part)) > MAX_REPEATS for part in plain.split("|")):
        raise _refused(f"has more than {MAX_REPEATS} unbounded repeats in one alternative")


def _refused(why: str) -> ModelUnsupportedError:
    return ModelUnsupportedError(
        f"tokenizer.json: pre_tokenizer: the split pattern {why}",
        hint="Supported: the patterns of Qwen2 and Llama 3, and simple patterns of the same kind",
    )
