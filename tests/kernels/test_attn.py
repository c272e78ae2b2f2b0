"""Attention: softmax in float64, scalar bits, any block table, limits and segments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from pyinfer._kernels.kernels import Kernels, kv_block_bytes

from .bits import assert_same_bits

F32 = NDArray[np.float32]
HEAD_DIMS = [8, 32, 64, 80, 128]
CACHES = [(kv, head_dim) for kv in ("f16", "f32") for head_dim in HEAD_DIMS]
CACHES += [("q8_0", head_dim) for head_dim in (32, 64, 96, 128, 160)]


@dataclass(slots=True, frozen=True)
class Cache:
    """A paged cache of one kv head with what was written to it."""

    pool: NDArray[np.uint8]
    table: NDArray[np.int32]
    k: F32  # (L, K) as stored
    v: F32


def fill_cache(
    kernels: Kernels, rng: np.random.Generator, length: int, head_dim: int, kv: str
) -> Cache:
    """Write ``length`` tokens into shuffled blocks; what is not written is NaN."""
    n_blocks = -(-length // 64)
    size = -(-kv_block_bytes(head_dim, kv) // 64) * 64
    pool = np.full((n_blocks + 3, size), 0xFF, dtype=np.uint8)
    table = rng.permutation(n_blocks + 3)[:n_blocks].astype(np.int32)
    k = rng.standard_normal((length, head_dim), dtype=np.float32)
    v = rng.standard_normal((length, head_dim), dtype=np.float32)
    for t in range(length):
        kernels.kv_append(pool, int(table[t // 64]), t % 64, k[t], v[t], kv)
    if kv == "f16":
        k, v = k.astype(np.float16).astype(np.float32), v.astype(np.float16).astype(np.float32)
    elif kv == "q8_0":
        k, v = rounded_to_8_bits(k), rounded_to_8_bits(v)
    return Cache(pool, table, k, v)


def rounded_to_8_bits(x: F32, scale: type = np.float16) -> F32:
    """Blocks of 32 along the last axis: the formula of the format, in NumPy."""
    blocks = x.reshape(*x.shape[:-1], -1, 32)
    largest = np.abs(blocks).max(-1, keepdims=True)
    q = np.rint(blocks * (np.float32(127) / largest))
    d = (largest / np.float32(127)).astype(scale).astype(np.float32)
    return (q * d).reshape(x.shape).astype(np.float32)


def attend(kernels: Kernels, cache: Cache, q: F32, limit: NDArray[np.int32], kv: str) -> F32:
    """All segments of all queries, merged."""
    head_dim = q.shape[1]
    length = int(limit.max())
    parts = [
        kernels.attn(q, limit, cache.pool, cache.table, first, min(first + 512, length), kv)
        for first in range(0, length, 512)
    ]
    out = np.empty_like(q)
    for i, seen in enumerate(limit):
        used = parts[: -(-int(seen) // 512)]
        m, total, o = (np.stack([part[j][i] for part in used]) for j in range(3))
        out[i] = kernels.attn_merge(m, total, o, head_dim)
    return out


def softmax_attention(cache: Cache, q: F32, limit: NDArray[np.int32]) -> NDArray[np.float64]:
    """Textbook attention in float64."""
    out = np.empty(q.shape)
    for i, seen in enumerate(limit):
        score = cache.k[:seen].astype(np.float64) @ q[i].astype(np.float64)
        p = np.exp(score - score.max())
        out[i] = p @ cache.v[:seen] / p.sum()
    return out


def random_limits(rng: np.random.Generator, n: int, length: int) -> NDArray[np.int32]:
    """Ascending limits as a prompt of several heads has them, the last one ``length``."""
    limit = np.sort(rng.integers(1, length + 1, n))
    limit[-1] = length
    return limit.astype(np.int32)


@pytest.mark.parametrize(("kv", "head_dim"), CACHES)
@pytest.mark.parametrize("length", [1, 15, 16, 17, 64, 200, 513, 1100])
def test_close_to_softmax(
    kernels: Kernels, rng: np.random.Generator, length: int, head_dim: int, kv: str
) -> None:
    cache = fill_cache(kernels, rng, length, head_dim, kv)
    q = rng.standard_normal((7, head_dim), dtype=np.float32) / np.float32(np.sqrt(head_dim))
    limit = random_limits(rng, 7, length)
    found = attend(kernels, cache, q, limit, kv)
    seen = rounded_to_8_bits(q, np.float32) if kv == "q8_0" else q
    np.testing.assert_allclose(found, softmax_attention(cache, seen, limit), rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize("head_dim", [64, 128])
def test_8_bits_are_close_to_exact(
    kernels: Kernels, rng: np.random.Generator, head_dim: int
) -> None:
    """Scores carry two roundings of at most 1/254 of a block's largest value each."""
    exact = fill_cache(kernels, np.random.default_rng(5), 700, head_dim, "f32")
    cache = fill_cache(kernels, np.random.default_rng(5), 700, head_dim, "q8_0")
    q = rng.standard_normal((7, head_dim), dtype=np.float32) / np.float32(np.sqrt(head_dim))
    limit = np.full(7, 700, dtype=np.int32)
    found = attend(kernels, cache, q, limit, "q8_0")
    expected = softmax_attention(exact, q, limit)
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    assert 1e-4 < error < 0.015


@pytest.mark.parametrize(("kv", "head_dim"), [*CACHES, ("f16", 272), ("q8_0", 288)])
@pytest.mark.parametrize("n_queries", [1, 2, 3, 4, 5, 6, 7, 12, 97])
def test_every_level_gives_scalar_bits(
    kernels: Kernels,
    scalar: Kernels,
    rng: np.random.Generator,
    n_queries: int,
    head_dim: int,
    kv: str,
) -> None:
    cache = fill_cache(scalar, rng, 600, head_dim, kv)
    q = rng.standard_normal((n_queries, head_dim), dtype=np.float32) * 3
    same = np.full(n_queries, 600, dtype=np.int32)
    prompt = np.repeat(np.arange(560, 600, dtype=np.int32), 6)[:n_queries] + 1
    for limit in (same, prompt, random_limits(rng, n_queries, 600)):
        for first, last in ((0, 512), (512, 600), (512, 513)):
            found = kernels.attn(q, limit, cache.pool, cache.table, first, last, kv)
            expected = scalar.attn(q, limit, cache.pool, cache.table, first, last, kv)
            np.testing.assert_array_equal(found[0], expected[0])
            assert_same_bits(found[1], expected[1])
            assert_same_bits(found[2], expected[2])


@pytest.mark.parametrize(("kv", "head_dim"), [*CACHES, ("f16", 20), ("f32", 20)])
def test_append_gives_scalar_bytes(
    kernels: Kernels, scalar: Kernels, rng: np.random.Generator, head_dim: int, kv: str
) -> None:
    caches = [
        fill_cache(which, np.random.default_rng(3), 130, head_dim, kv)
        for which in (kernels, scalar)
    ]
    np.testing.assert_array_equal(caches[0].pool, caches[1].pool)


def test_merge_gives_scalar_bits(
    kernels: Kernels, scalar: Kernels, rng: np.random.Generator
) -> None:
    for n_parts in (1, 2, 5):
        for head_dim in (8, 20, 128):
            m = rng.standard_normal(n_parts, dtype=np.float32) * 30
            total = rng.random((n_parts, 16), dtype=np.float32) + np.float32(0.1)
            o = rng.standard_normal((n_parts, 128), dtype=np.float32)
            found = kernels.attn_merge(m, total, o, head_dim)
            assert_same_bits(found, scalar.attn_merge(m, total, o, head_dim))


def test_merging_can_go_on_later(kernels: Kernels, rng: np.random.Generator) -> None:
    m = rng.standard_normal(6, dtype=np.float32) * 3
    total = rng.random((6, 16), dtype=np.float32) + np.float32(0.1)
    o = rng.standard_normal((6, 80), dtype=np.float32)
    expected = kernels.attn_merge(m, total, o, 80)
    for j in range(1, 6):
        pair = np.ascontiguousarray(m[[0, j]]), total[[0, j]].copy(), o[[0, j]].copy()
        kernels.attn_merge(*pair, 80, keep=True)
        m[0], total[0], o[0] = pair[0][0], pair[1][0], pair[2][0]
    assert_same_bits(kernels.attn_merge(m[:1], total[:1], o[:1], 80), expected)


def test_a_query_does_not_depend_on_its_neighbours(
    kernels: Kernels, rng: np.random.Generator
) -> None:
    cache = fill_cache(kernels, rng, 300, 64, "f16")
    q = rng.standard_normal((13, 64), dtype=np.float32)
    limit = random_limits(rng, 13, 300)
    together = attend(kernels, cache, q, limit, "f16")
    for i in range(13):
        alone = attend(kernels, cache, q[i : i + 1], limit[i : i + 1], "f16")
        assert_same_bits(alone[0], together[i])


@pytest.mark.parametrize("size", [60.0, 3000.0])
def test_large_scores_do_not_overflow(
    kernels: Kernels, rng: np.random.Generator, size: float
) -> None:
    cache = fill_cache(kernels, rng, 100, 64, "f16")
    q = (rng.standard_normal((2, 64)) * size).astype(np.float32)
    limit = np.array([60, 100], dtype=np.int32)
    found = attend(kernels, cache, q, limit, "f16")
    np.testing.assert_allclose(found, softmax_attention(cache, q, limit), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("kv", ["f16", "q8_0"])
@pytest.mark.parametrize("where", ["q", "k", "v"])
def test_nan_surfaces(kernels: Kernels, rng: np.random.Generator, where: str, kv: str) -> None:
    cache = fill_cache(kernels, rng, 40, 32, kv)
    q = rng.standard_normal((2, 32), dtype=np.float32)
    bad = rng.standard_normal((3, 32), dtype=np.float32)
    bad["qkv".index(where), 4] = np.nan
    q[1] = bad[0]
    kernels.kv_append(cache.pool, int(cache.table[0]), 30, bad[1], bad[2], kv)
    limit = np.array([30, 40], dtype=np.int32)
    found = attend(kernels, cache, q, limit, kv)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).any()
