"""Regular expressions that cut text into words before byte-pair encoding.

A pattern from a model file runs on every prompt in a backtracking engine, so a hostile one could
hang the process. Patterns in wide use are accepted by value; any other must be simple enough that
it cannot backtrack exponentially.
"""

from __future__ import annotations

import re

from pyinfer.errors import ModelUnsupportedError

#: Qwen2 and DeepSeek-R1-Distill-Qwen: one digit per token.
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

#: Pre-tokenizer names in GGUF files that mean this pattern.
GGUF_SPLITS = {"qwen2": QWEN2_SPLIT, "deepseek-r1-qwen": QWEN2_SPLIT}

MAX_PATTERN_CHARS = 1024
#: Unbounded repeats in one alternative; k of them cost at most O(n^k) on text of length n.
MAX_REPEATS = 3


def check_split_pattern(pattern: str) -> None:
    """Accept ``pattern`` or raise ModelUnsupportedError.

    Besides :data:`QWEN2_SPLIT`, a pattern passes if it is short, has no back-references, no
    repeated group, and at most three unbounded repeats between two ``|``.
    """
    if pattern == QWEN2_SPLIT:
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
        hint="Supported: the Qwen2 pattern and simple patterns of the same kind",
    )
