"""The arithmetic contract in NumPy: float32 steps, exact fma, exact integer sums.

Written from the contract's text, not from the C code: weights come out of the file blocks, so
packing is not involved. Denormals are flushed as FTZ and DAZ do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .file_blocks import parts_of

F32 = NDArray[np.float32]

TINY = np.finfo(np.float32).tiny


def flushed(x: F32) -> F32:
    """Return x with denormals replaced by zeros of their sign."""
    return np.where(np.abs(x) < TINY, np.copysign(np.float32(0), x), x).astype(np.float32)


def fma(a: F32, b: F32, c: F32) -> F32:
    """Return a * b + c with one rounding.

    The product is exact in float64. The sum is rounded to odd there (the last bit set where it is
    inexact), and a value rounded to odd with 53 bits rounds to 24 bits as the exact value does.
    """
    product = flushed(a).astype(np.float64) * flushed(b).astype(np.float64)
    addend = flushed(c).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        total = np.atleast_1d(product + addend)
        back = total - product
        error = np.atleast_1d((product - (total - back)) + (addend - back))
        bits = total.view(np.int64)
        inexact = np.isfinite(total) & (error != 0) & (bits & 1 == 0)
        step = np.where((error > 0) == (total > 0), 1, -1)
        rounded = np.where(inexact, bits + step, bits).view(np.float64)
        result = flushed(rounded.astype(np.float32))
    return result.reshape(np.broadcast(a, b, c).shape)


def tree_sum(lanes: F32) -> F32:
    """Sum 16 lanes of the last axis: lane i meets i + 8, then i + 4, i + 2, i + 1."""
    a = lanes.astype(np.float32)
    for width in (8, 4, 2, 1):
        a = flushed(a[..., :width] + a[..., width : 2 * width])
    return a[..., 0]


def weights_of(fmt: str, rows: NDArray[np.uint8]) -> F32:
    """Weights float32 (R, n) of unquantized file rows."""
    if fmt == "f32":
        return rows.view(np.float32)
    if fmt == "f16":
        return rows.view(np.float16).astype(np.float32)
    return (rows.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def quantized_activations(x: F32) -> tuple[F32, NDArray[np.int64]]:
    """Scales float32 (T, n_blocks) and values int64 (T, n_blocks, 32) of a8."""
    blocks = x.reshape(x.shape[0], -1, 32)
    amax = np.abs(blocks).max(axis=-1)
    finite = np.isfinite(blocks).all(axis=-1)
    used = finite & (amax >= np.float32(2.0**-100))
    safe = np.where(used, amax, np.float32(1))
    scale = np.where(used, safe / np.float32(127), np.where(finite, 0, np.nan)).astype(np.float32)
    inverse = np.where(used, np.float32(127) / safe, 0).astype(np.float32)
    clean = np.where(finite[..., None], blocks, 0).astype(np.float32)
    return scale, np.rint(clean * inverse[..., None]).astype(np.int64)


def multiply_quantized(fmt: str, rows: NDArray[np.uint8], x: F32) -> F32:
    """Products float32 (T, R): per part, f = fma(isum, scale * x_scale, f), then the step of the
    minimum, f = fma(minimum, x_scale * sum(q), f).
    """
    parts = parts_of(fmt, rows)
    x_scale, q = quantized_activations(x)
    q = q.reshape(x.shape[0], *parts.code.shape[1:])
    x_scale = np.repeat(x_scale, parts.code.shape[1] // x_scale.shape[1], axis=1)
    f = np.zeros((x.shape[0], rows.shape[0]), dtype=np.float32)
    for p in range(parts.code.shape[1]):
        isum = (q[:, p] @ parts.code[:, p].T).astype(np.float32)
        with np.errstate(invalid="ignore"):
            scale = flushed(x_scale[:, p, None] * parts.scale[None, :, p])
            total = flushed(x_scale[:, p] * q[:, p].sum(axis=1).astype(np.float32))
        f = fma(isum, scale, f)
        if parts.minimum is not None:
            f = fma(parts.minimum[None, :, p], total[:, None], f)
    return f


def multiply_float(fmt: str, rows: NDArray[np.uint8], x: F32) -> F32:
    """Products float32 (T, R): one fma chain per output in ascending input order."""
    w = weights_of(fmt, rows)
    f = np.zeros((x.shape[0], rows.shape[0]), dtype=np.float32)
    for i in range(w.shape[1]):
        f = fma(x[:, i, None], w[None, :, i], f)
    return f


def multiply(fmt: str, rows: NDArray[np.uint8], x: F32) -> F32:
    """Products float32 (T, R) of file rows (R, bytes) with activations (T, n)."""
    oracle = multiply_float if fmt in ("f32", "f16", "bf16") else multiply_quantized
    return oracle(fmt, rows, x)


EXP_COEFFICIENTS = [
    float.fromhex(text)
    for text in ("0x1.6d4366p-10", "0x1.120ba6p-7", "0x1.5554e8p-5", "0x1.5554dcp-3", "0x1p-1")
]


def exp(x: F32) -> F32:
    """exp by the contract: n = rint(x / ln 2), a polynomial of degree 6 in r, times 2^n."""
    x = np.minimum(np.maximum(flushed(x), np.float32(-87.25)), np.float32(88.25))
    n = np.rint(flushed(x * np.float32(float.fromhex("0x1.715476p+0"))))
    r = fma(n, np.full_like(n, -float.fromhex("0x1.63p-1")), x)
    r = fma(n, np.full_like(n, float.fromhex("0x1.bd0106p-13")), r)
    p = np.full_like(x, EXP_COEFFICIENTS[0])
    for c in [*EXP_COEFFICIENTS[1:], 1.0, 1.0]:
        p = fma(p, r, np.full_like(x, c))
    return flushed((p * np.ldexp(np.float32(1), n.astype(np.int32))).astype(np.float32))
