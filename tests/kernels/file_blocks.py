"""What the blocks of the quantized file formats mean, in NumPy, from their documentation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Bytes = NDArray[np.uint8]

# Bytes of a block, and where its f16 fields stand: scale, then minimum.
SIZES = {
    "q4_0": 18, "q4_1": 20, "q5_0": 22, "q5_1": 24, "q8_0": 34, "iq4_nl": 18,
    "q2_k": 84, "q3_k": 110, "q4_k": 144, "q5_k": 176, "q6_k": 210,
}  # fmt: skip
F16_FIELDS = {
    "q4_0": (0,), "q4_1": (0, 2), "q5_0": (0,), "q5_1": (0, 2), "q8_0": (0,), "iq4_nl": (0,),
    "q2_k": (80, 82), "q3_k": (108,), "q4_k": (0, 2), "q5_k": (0, 2), "q6_k": (208,),
}  # fmt: skip
LEVELS = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)


@dataclass(frozen=True, slots=True)
class Parts:
    """Inputs that share a scale: value = scale * code + minimum.

    ``scale`` float32 (R, n_parts), ``minimum`` the same or None, ``code`` int64
    (R, n_parts, inputs of a part).
    """

    scale: F32
    minimum: F32 | None
    code: NDArray[np.int64]

    def values(self) -> F32:
        """Weights float32 (R, n): two roundings, as the files' own definition."""
        x = self.scale[..., None] * self.code.astype(np.float32)
        if self.minimum is not None:
            x = x + self.minimum[..., None]
        return x.reshape(x.shape[0], -1).astype(np.float32)


def parts_of(fmt: str, rows: Bytes) -> Parts:
    """Take file rows (R, bytes) apart."""
    blocks = rows.reshape(rows.shape[0], -1, SIZES[fmt])
    fields = [_f16(blocks, at) for at in F16_FIELDS[fmt]]
    if fmt.endswith("_k"):
        return _super(fmt, blocks, fields)
    first = 2 * len(fields)
    if fmt == "q8_0":
        code = blocks[..., first:].view(np.int8).astype(np.int64)
    elif fmt in ("q5_0", "q5_1"):
        high = np.unpackbits(blocks[..., first : first + 4], axis=-1, bitorder="little")
        code = _nibbles(blocks[..., first + 4 :]) + 16 * high.astype(np.int64)
    else:
        code = _nibbles(blocks[..., first:])
    if fmt == "iq4_nl":
        code = np.array(LEVELS)[code]
    code = code - {"q4_0": 8, "q5_0": 16}.get(fmt, 0)
    return Parts(fields[0], fields[1] if len(fields) > 1 else None, code)


def _f16(blocks: Bytes, at: int) -> F32:
    raw = np.ascontiguousarray(blocks[..., at : at + 2])
    return raw.view(np.float16)[..., 0].astype(np.float32)


def _nibbles(data: Bytes) -> NDArray[np.int64]:
    """32 codes of 16 bytes: low nibbles first."""
    return np.concatenate([data & 15, data >> 4], axis=-1).astype(np.int64)


def _fields(data: Bytes, bits: int, width: int) -> NDArray[np.int64]:
    """Fields of ``bits`` bits: runs of ``width`` bytes give their lowest fields first."""
    runs = data.reshape(*data.shape[:2], -1, 1, width)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    fields = runs >> shifts & ((1 << bits) - 1)
    return fields.reshape(*data.shape[:2], -1).astype(np.int64)


def _super(fmt: str, blocks: Bytes, fields: list[F32]) -> Parts:
    """Super-blocks of 256."""
    minimum = None
    if fmt == "q2_k":
        scale = (blocks[..., :16] & 15).astype(np.int64)
        minimum = (blocks[..., :16] >> 4).astype(np.int64)
        code = _fields(blocks[..., 16:80], 2, 32)
    elif fmt == "q3_k":
        code = _fields(blocks[..., 32:96], 2, 32) + 4 * _fields(blocks[..., :32], 1, 32) - 4
        low = _fields(blocks[..., 96:104], 4, 8)
        scale = low + 16 * _fields(blocks[..., 104:108], 2, 4) - 32
    elif fmt == "q6_k":
        code = _fields(blocks[..., :128], 4, 64) + 16 * _fields(blocks[..., 128:192], 2, 32) - 32
        scale = blocks[..., 192:208].view(np.int8).astype(np.int64)
    else:
        scale, minimum = _six_bits(blocks[..., 4:16].astype(np.int64))
        first = 48 if fmt == "q5_k" else 16
        code = _fields(blocks[..., first:], 4, 32)
        if fmt == "q5_k":
            code = code + 16 * _fields(blocks[..., 16:48], 1, 32)
    n_rows, n_parts = blocks.shape[0], blocks.shape[1] * scale.shape[-1]
    with np.errstate(invalid="ignore"):
        d = (fields[0][..., None] * scale.astype(np.float32)).reshape(n_rows, n_parts)
        if minimum is not None:
            dmin = fields[1][..., None] * minimum.astype(np.float32)
            return Parts(d, -dmin.reshape(n_rows, n_parts), code.reshape(n_rows, n_parts, -1))
    return Parts(d, None, code.reshape(n_rows, n_parts, -1))


def _six_bits(b: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Eight scales and eight minimums of twelve bytes."""
    scale = np.concatenate([b[..., :4] & 63, b[..., 8:] & 15 | b[..., :4] >> 6 << 4], axis=-1)
    minimum = np.concatenate([b[..., 4:8] & 63, b[..., 8:] >> 4 | b[..., 4:8] >> 6 << 4], axis=-1)
    return scale, minimum
