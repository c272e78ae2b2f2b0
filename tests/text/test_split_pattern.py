"""Split patterns: those in use pass, those that can hang do not."""

from __future__ import annotations

import pytest

from pyinfer.errors import ModelUnsupportedError
from pyinfer.text.split_pattern import QWEN2_SPLIT, check_split_pattern

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


@pytest.mark.parametrize("pattern", [QWEN2_SPLIT, LLAMA3, GPT2, r"\p{N}", "[0-9]", "[^]a]+"])
def test_harmless(pattern: str) -> None:
    check_split_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|aa)*b",
        "(?:a*)*",
        "(a{1,9}){2,}",
        r"(a+)\1",
        r"(?<x>a+)\k<x>",
        r"(?<x>a+\g<x>?)",
        "a*a*a*a*b",
        "[a[b]]+",
        "x" * 1025,
    ],
)
def test_dangerous(pattern: str) -> None:
    with pytest.raises(ModelUnsupportedError):
        check_split_pattern(pattern)
