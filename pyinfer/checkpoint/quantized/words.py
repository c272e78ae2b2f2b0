"""Small integers out of packed words."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.int16]

# AWQ's kernels want the eight values of a word in this order.
_AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)

# Planes of widths that are no divisor of 32: bits of each plane, from the low bits up.
PLANES = {3: (2, 1), 5: (4, 1), 6: (4, 2), 7: (4, 2, 1)}


def dense(words: npt.NDArray[Any], bits: int, count: int) -> Codes:
    """Little-endian stream: value k is bits k * ``bits`` and on; values may straddle words.

    Parameters
    ----------
    words : integer (..., w)
        32-bit words, or bytes.
    bits : int
        1 to 8.
    count : int
        Values per row.

    Returns
    -------
    int16 (..., count)
        0 to 2 ** bits - 1.
    """
    raw = np.ascontiguousarray(words).view(np.uint8)
    if bits == 8:
        return raw[..., :count].astype(np.int16)
    if bits in (2, 4):
        return _divided(raw, bits)[..., :count]
    stream = np.unpackbits(raw, axis=-1, count=count * bits, bitorder="little")
    values = stream.reshape(*raw.shape[:-1], count, bits)
    weights = (1 << np.arange(bits)).astype(np.int16)
    found: Codes = np.einsum("...b,b->...", values, weights, dtype=np.int16)
    return found


def padded(words: npt.NDArray[Any], bits: int, count: int) -> Codes:
    """Each 32-bit word holds 32 // ``bits`` values and leaves its top bits unused.

    Parameters and result as :func:`dense`.
    """
    raw = np.ascontiguousarray(words).view(np.uint32)
    shifts = np.arange(32 // bits, dtype=np.uint32) * np.uint32(bits)
    values = (raw[..., None] >> shifts) & np.uint32((1 << bits) - 1)
    return values.reshape(*raw.shape[:-1], -1)[..., :count].astype(np.int16)


def awq(words: npt.NDArray[Any]) -> Codes:
    """Eight values of 4 bits per word, in AWQ's order: integer (..., w) to int16 (..., 8 w)."""
    raw = np.ascontiguousarray(words).view(np.uint8)
    values = _divided(raw, 4).reshape(*raw.shape[:-1], -1, 8)
    return values[..., _AWQ_ORDER].reshape(*raw.shape[:-1], -1)


def planes(words: npt.NDArray[Any], bits: int, count: int) -> Codes:
    """Groups of 32 values in ``bits`` words: a plane of the low bits, then those of the high ones.

    Parameters and result as :func:`dense`.
    """
    raw = np.ascontiguousarray(words).view(np.uint8)
    groups = raw.reshape(*raw.shape[:-1], -1, 4 * bits)
    found = np.zeros((*groups.shape[:-1], 32), np.int16)
    start = shift = 0
    for width in PLANES[bits]:
        part = groups[..., start : start + 4 * width]
        plane = dense(part, width, 32) if width != 1 else _ones(part)
        found |= plane << shift
        start, shift = start + 4 * width, shift + width
    return found.reshape(*raw.shape[:-1], -1)[..., :count]


def _ones(raw: Bytes) -> Codes:
    return np.unpackbits(raw, axis=-1, bitorder="little").astype(np.int16)


def _divided(raw: Bytes, bits: int) -> Codes:
    """Values that divide a byte, low bits first."""
    shifts = np.arange(8 // bits, dtype=np.uint8) * np.uint8(bits)
    values = (raw[..., None] >> shifts) & np.uint8((1 << bits) - 1)
    return values.reshape(*raw.shape[:-1], -1).astype(np.int16)


def float4(raw: Bytes) -> Codes:
    """Twice the values of 4-bit floats (e2m1), two per byte, the low half first: -12 to 12."""
    return _FLOAT4[_divided(raw, 4)]


_MAGNITUDES = (0, 1, 2, 3, 4, 6, 8, 12)
_FLOAT4 = np.array([*_MAGNITUDES, *(-m for m in _MAGNITUDES)], np.int16)


def float8_table() -> npt.NDArray[np.float32]:
    """Value of every byte as an 8-bit float (e4m3fn: no infinities, 0x7f and 0xff are NaN)."""
    byte = np.arange(256)
    exponent, mantissa = (byte >> 3) & 15, byte & 7
    normal = (1 + mantissa / 8) * 2.0 ** (exponent - 7)
    magnitude = np.where(exponent == 0, mantissa / 8 * 2.0**-6, normal)
    magnitude[(byte & 127) == 127] = np.nan
    return np.where(byte & 128, -magnitude, magnitude).astype(np.float32)


def scale8_table() -> npt.NDArray[np.float32]:
    """Value of every byte as a power of two (e8m0): 2 ** (byte - 127), 255 is NaN."""
    with np.errstate(over="ignore"):
        table = np.ldexp(np.float64(1.0), np.arange(256) - 127).astype(np.float32)
    table[255] = np.nan
    return table
