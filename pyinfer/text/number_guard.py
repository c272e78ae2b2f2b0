"""Numbers in JSON end.

A grammar takes any number of digits, and small models write them until they are cut off.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# As many as a signed 64-bit integer may have; more than a double holds.
MAX_DIGITS = 19
# Three could be beyond the range of floating point.
MAX_EXPONENT_DIGITS = 2

_DIGITS = frozenset(b"0123456789")
_QUOTE, _BACKSLASH = b'"\\'
_EXPONENT, _SIGN = frozenset(b"eE"), frozenset(b"+-")


class DigitTables:
    """With how many digits the tokens of a vocabulary begin.

    Parameters
    ----------
    tokens : sequence of bytes
    """

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self._leading = np.array([_leading_digits(token) for token in tokens], np.uint8)
        self._bits: dict[int, npt.NDArray[np.uint32]] = {}

    def at_most(self, digits: int) -> npt.NDArray[np.uint32]:
        """Bits (``id % 32`` of word ``id // 32``) of tokens that begin with no more digits."""
        if digits not in self._bits:
            fits = np.zeros(-(-len(self._leading) // 32) * 32, np.uint8)
            fits[: len(self._leading)] = self._leading <= digits
            self._bits[digits] = np.packbits(fits, bitorder="little").view(np.uint32)
        return self._bits[digits]


class NumberGuard:
    """Follows JSON text and ends numbers that have enough digits, where they may end.

    Parameters
    ----------
    tokens : sequence of bytes
    tables : DigitTables
        Of the same tokens.
    """

    def __init__(self, tokens: Sequence[bytes], tables: DigitTables) -> None:
        self._tokens = tokens
        self._tables = tables
        self._in_string = False
        self._escaped = False
        self._in_exponent = False
        self._run = 0

    def push(self, token: int) -> None:
        """See one token."""
        for byte in self._tokens[token]:
            self._follow(byte)

    def limit(self, allowed: npt.NDArray[np.uint32]) -> None:
        """Take away tokens that would make the present number too long.

        If nothing is left the grammar asks for that number, and it stays as it is.

        Parameters
        ----------
        allowed : uint32 (W,), written
            Bit ``id % 32`` of word ``id // 32``.
        """
        if self._in_string or not (self._run or self._in_exponent):
            return
        most = MAX_EXPONENT_DIGITS if self._in_exponent else MAX_DIGITS
        fits = self._tables.at_most(max(0, most - self._run))
        limited = allowed & fits[: len(allowed)]
        if limited.any():
            allowed[:] = limited

    def _follow(self, byte: int) -> None:
        if self._in_string:
            if self._escaped:
                self._escaped = False
            elif byte == _BACKSLASH:
                self._escaped = True
            elif byte == _QUOTE:
                self._in_string = False
        elif byte in _DIGITS:
            self._run += 1
        elif byte in _EXPONENT and self._run:
            self._run, self._in_exponent = 0, True
        elif not (byte in _SIGN and self._in_exponent and not self._run):
            self._run, self._in_exponent = 0, False
            self._in_string = byte == _QUOTE


def _leading_digits(token: bytes) -> int:
    return min(len(token) - len(token.lstrip(b"0123456789")), 255)
