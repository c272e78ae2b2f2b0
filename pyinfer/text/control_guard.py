"""Keeps control tokens that are spelled out in message content from becoming control tokens.

Before a template is rendered, every added-token string inside a message is replaced by one
private-use character, and so is a part of one at either end of a message string (or the whole
of it), since the template may put the rest beside it. What the tokenizer then still finds was
written by the template. Afterwards the original text is put back and encoded as ordinary text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pyinfer.errors import RequestError

_PRIVATE_USE = range(0xF0000, 0xFFFFE)

# Words that templates compare with; they stay as they are under these keys.
_FIXED_KEYS = ("role", "type")
_FIXED_WORDS = frozenset({"system", "user", "assistant", "tool", "function"}) | {
    *("object", "string", "number", "integer", "boolean", "array", "null")
}


class ControlGuard:
    """Replaces added-token strings in message content by stand-ins, and puts them back.

    Parameters
    ----------
    added_tokens : iterable of str
        Strings that the tokenizer would read as one token.
    reserved : str
        Text whose characters must not be used as stand-ins: the template.
    """

    def __init__(self, added_tokens: Iterable[str], reserved: str = "") -> None:
        self._tokens = sorted(added_tokens, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._tokens)))
        # A message that ends with any beginning of a token, or begins with any end of one.
        self._heads = {token[:n] for token in self._tokens for n in range(1, len(token))}
        self._tails = {token[n:] for token in self._tokens for n in range(1, len(token))}
        self._longest = max(map(len, self._tokens), default=0)
        self._used = set(reserved)
        self._stand_ins: dict[str, str] = {}

    @property
    def active(self) -> bool:
        """Whether any stand-in is in use."""
        return bool(self._stand_ins)

    def protect(self, value: Any) -> Any:
        """Return a copy of a JSON-like value with all its strings, keys included, made safe."""
        if not self._tokens:
            return value
        self.reserve(value)
        return self._map(value)

    def restore(self, text: str) -> str:
        """Put the original strings back."""
        if not self._stand_ins:
            return text
        return text.translate({ord(char): name for name, char in self._stand_ins.items()})

    def reserve(self, value: Any) -> None:
        """Use no stand-in that occurs in ``value``, which is protected later."""
        if isinstance(value, str):
            if not value.isascii():
                self._used.update(char for char in value if ord(char) >= _PRIVATE_USE.start)
        elif isinstance(value, dict):
            for key, item in value.items():
                self.reserve(key)
                self.reserve(item)
        elif isinstance(value, list):
            for item in value:
                self.reserve(item)

    def _map(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {self._key(key): self._item(key, item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._map(item) for item in value]
        return value

    def _key(self, key: str) -> str:
        # Only whole tokens: templates look keys up by name.
        return self._pattern.sub(lambda match: self._stand_in(match[0]), key)

    def _item(self, key: str, item: Any) -> Any:
        if key in _FIXED_KEYS and isinstance(item, str) and item in _FIXED_WORDS:
            return item
        return self._map(item)

    def _text(self, text: str) -> str:
        if text and len(text) < self._longest and any(text in token for token in self._tokens):
            return self._stand_in(text)
        text = self._pattern.sub(lambda match: self._stand_in(match[0]), text)
        for size in range(min(self._longest - 1, len(text)), 0, -1):
            if text[:size] in self._tails:
                text = self._stand_in(text[:size]) + text[size:]
                break
        for size in range(min(self._longest - 1, len(text)), 0, -1):
            if text[-size:] in self._heads:
                text = text[:-size] + self._stand_in(text[-size:])
                break
        return text

    def _stand_in(self, text: str) -> str:
        char = self._stand_ins.get(text)
        if char is None:
            found = next((c for c in map(chr, _PRIVATE_USE) if c not in self._used), None)
            if found is None:
                raise RequestError("the messages use all private characters of Unicode")
            char = self._stand_ins[text] = found
            self._used.add(found)
        return char
