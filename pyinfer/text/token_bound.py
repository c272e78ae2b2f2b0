"""How many tokens a text has at least, without tokenizing it.

Every byte of a text lies in some token. Give each byte the share 1/n of a token, n being the length
of the longest token with this byte: no token gets more than 1 together, so the shares of a text add
up to no more than its tokens. Runs of letters are bounded by the longest words of the vocabulary
and not by its longest token, which is a row of spaces.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
from tokenizers import Tokenizer as Backend

from pyinfer.text.byte_alphabet import BYTE_CHARS

_Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
_CHUNK = 1 << 16
#: Tokens that a border between two chunks may feign: composition does not reach over it.
_BORDER = 64
_SPACES = "".join(chr(c) for c in range(0x3001) if chr(c).isspace())


class TokenBound:
    """Lower bounds for one vocabulary.

    Parameters
    ----------
    backend : tokenizers.Tokenizer
        Its normalizer and pre-tokenizer count.
    tokens : iterable of bytes or str
        What all tokens stand for, or their byte-level spellings.
    takes_spaces : bool
        Some token takes spaces beside it along, however many.
    """

    def __init__(self, backend: Backend, tokens: Iterable[bytes | str], takes_spaces: bool) -> None:
        self._form, known = _form(backend)
        self._valid = known and not _removes(backend)
        longest = np.zeros(256, np.int64)
        unseen = set(BYTE_CHARS)
        number = {char: byte for byte, char in enumerate(BYTE_CHARS)}
        for token in sorted(tokens, key=len, reverse=True):
            if isinstance(token, bytes):
                places = np.unique(np.frombuffer(token, np.uint8))
                longest[places] = np.maximum(longest[places], len(token))
                continue
            new = unseen.intersection(token)
            unseen -= new
            for char in new:
                longest[number[char]] = max(longest[number[char]], len(token))
        self._shares = 1.0 / np.maximum(longest, 1)
        if takes_spaces:
            self._shares[np.unique(np.frombuffer(_SPACES.encode(), np.uint8))] = 0.0

    def fewest(self, text: str) -> int:
        """Tokens that ``text`` has at least; 0 where nothing is known.

        Raises
        ------
        UnicodeEncodeError
            The text has a lone surrogate.
        """
        total = 0.0
        for start in range(0, len(text) if self._valid else 0, _CHUNK):
            chunk = text[start : start + _CHUNK]
            if self._form is not None and not chunk.isascii():
                chunk = unicodedata.normalize(self._form, chunk)
                total -= _BORDER
            data = np.frombuffer(chunk.encode("utf-8"), np.uint8)
            total += float(np.bincount(data, minlength=256) @ self._shares)
        return max(0, int(total * (1 - 1e-9)))


def _form(backend: Backend) -> tuple[_Form | None, bool]:
    """The normal form of texts (None as they are), and whether it is known."""
    if backend.normalizer is None:
        return None, True
    kind = json.loads(backend.normalizer.__getstate__()).get("type")
    for form in get_args(_Form):
        if kind == form:
            return form, True
    return None, False


def _removes(backend: Backend) -> bool:
    """Whether words may vanish before they become tokens."""
    return (
        backend.pre_tokenizer is not None and b'"Removed"' in backend.pre_tokenizer.__getstate__()
    )
