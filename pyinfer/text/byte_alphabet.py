"""The byte-level alphabet of GPT-2 style vocabularies: one printable character per byte."""

from __future__ import annotations


def _alphabet() -> str:
    # Printable Latin-1 bytes stand for themselves; the other 68 take U+0100 and up, in order.
    keep = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    chars = [""] * 256
    for byte in keep:
        chars[byte] = chr(byte)
    shifted = 0x100
    for byte in range(256):
        if not chars[byte]:
            chars[byte] = chr(shifted)
            shifted += 1
    return "".join(chars)


#: Character at index ``b`` spells byte ``b`` in a vocabulary entry.
BYTE_CHARS: str = _alphabet()

#: The same as a set, for validation.
BYTE_CHAR_SET: frozenset[str] = frozenset(BYTE_CHARS)

_TO_LATIN1 = {ord(char): byte for byte, char in enumerate(BYTE_CHARS)}


def piece_to_bytes(piece: str) -> bytes:
    """Return the bytes that a vocabulary entry spells; every character must be in the alphabet."""
    return piece.translate(_TO_LATIN1).encode("latin-1")


def bytes_to_piece(data: bytes) -> str:
    """Return the vocabulary spelling of ``data``."""
    return "".join(BYTE_CHARS[byte] for byte in data)
