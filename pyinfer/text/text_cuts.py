"""Where a long text can be cut so that its pieces have exactly the tokens of the whole.

Tokenizing takes some hundred bytes of memory per character, and one word is the least that can be
tokenized by itself. Cutting needs to know the rule by which text becomes words: it is done for the
patterns of Qwen2 and Llama 3, after a letter that something else follows, and for Qwen2 after a
digit, which is a word by itself there. No alternative of the patterns goes on behind such a place,
none looks across it, no added token contains it, and Unicode normalization does not reach over it
since the next character is one that never combines.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal, get_args

from tokenizers import Tokenizer as Backend

from pyinfer.text.split_pattern import LLAMA3_SPLIT, QWEN2_SPLIT
from pyinfer.text.vocabulary import AddedPiece

#: Characters of a piece, or more where the text has no place to cut.
PIECE_CHARS = 1 << 15
#: So far a cut is looked for at once: the search holds the interpreter's lock.
_SEARCH_CHARS = 1 << 17

# Letters in every version of Unicode since 3.0, and what can follow: ASCII and the punctuation of
# Chinese and Japanese, none of which combines with what stands before it.
_LETTERS = "A-Za-zÀ-ÖØ-öø-ʯΑ-ΡΣ-Ωα-ωА-яぁ-ゔァ-ヺ一-龥가-힣"
_FOLLOWERS = frozenset("\t\n\r、。！，：；？（）〈〉《》「」『』【】") | {
    chr(c) for c in range(32, 127)
}
_PAIR = re.compile(rf"[0-9{_LETTERS}](?=(.))", re.DOTALL)

_Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

#: Finds the last character before a cut.
Cut = re.Pattern[str]


def find_cut(backend: Backend, added: Iterable[AddedPiece]) -> Cut | None:
    """What :func:`pieces` needs to know of a tokenizer; None if its texts cannot be cut."""
    pattern = _pattern(backend)
    if pattern not in (QWEN2_SPLIT, LLAMA3_SPLIT):
        return None
    followers = set(_FOLLOWERS)
    for piece in added:
        if piece.single_word or (piece.rstrip and piece.content[-1:].isalnum()):
            return None  # what follows the token matters, wherever it ends
        content = piece.content
        others: tuple[_Form, ...] = () if content.isascii() else get_args(_Form)
        for form in (content, *(unicodedata.normalize(f, content) for f in others)):
            followers.difference_update(_PAIR.findall(form))
    if not any(not char.isalpha() for char in followers):
        return None
    return _cut(followers, after_digits=pattern == QWEN2_SPLIT)


def _cut(followers: Iterable[str], after_digits: bool) -> Cut:
    escaped = {char: re.escape(char) for char in followers}
    after_letter = "".join(text for char, text in escaped.items() if not char.isalpha())
    after_digit = "".join(escaped.values())
    after = rf"|[0-9](?=[{after_digit}])" if after_digits else ""
    return re.compile(rf"[{_LETTERS}](?=[{after_letter}]){after}")


def _pattern(backend: Backend) -> str | None:
    """The pattern of a byte-level tokenizer that splits by it and nothing else."""
    if backend.pre_tokenizer is None:
        return None
    rule = json.loads(backend.pre_tokenizer.__getstate__())
    parts = rule.get("pretokenizers", [])
    if [part.get("type") for part in parts] != ["Split", "ByteLevel"]:
        return None
    split, byte_level = parts
    plain = (
        (split.get("behavior"), split.get("invert")) == ("Isolated", False)
        and not byte_level.get("use_regex", True)
        and not byte_level.get("add_prefix_space", True)
    )
    return split.get("pattern", {}).get("Regex") if plain else None


def pieces(text: str, cut: Cut | None, size: int = PIECE_CHARS) -> Iterator[str]:
    """Cut ``text`` into pieces of at least ``size`` characters, except for the last.

    Parameters
    ----------
    text : str
    cut : re.Pattern or None
        Of :func:`find_cut`; without it the text is one piece.
    size : int
        At least 1.
    """
    start, place = 0, size
    while cut is not None and place < len(text):
        found = cut.search(text, place - 1, place + _SEARCH_CHARS)
        if found is None:
            place += _SEARCH_CHARS - 1
            continue
        yield text[start : found.end()]
        start, place = found.end(), found.end() + size
    yield text[start:]
