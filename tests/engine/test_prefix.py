"""The prefix cache: exact matches, least recently used first, nothing evicted that is in use."""

from __future__ import annotations

import numpy as np

from pyinfer.engine.prefix import PrefixCache, PrefixNode
from pyinfer.model.cache import BlockPool, BlockTable


def tokens(*blocks: int) -> np.ndarray:
    """64 equal tokens per entry."""
    return np.repeat(np.array(blocks, np.int32), 64)


def store(cache: PrefixCache, pool: BlockPool, *blocks: int, keep: bool = False) -> BlockTable:
    table = BlockTable(pool)
    assert table.grow(64 * len(blocks))
    node: PrefixNode | None = None
    for index, content in enumerate(blocks):
        node = cache.insert(node, tokens(content), table, index)
    if not keep:
        table.clear()
    return table


def found(cache: PrefixCache, *blocks: int) -> int:
    return len(cache.match(tokens(*blocks)))


def test_a_block_is_found_only_after_the_same_blocks() -> None:
    pool = BlockPool(16)
    cache = PrefixCache(pool)
    store(cache, pool, 1, 2, 3)
    assert found(cache, 1, 2, 3) == 3
    assert found(cache, 1, 2, 3, 4) == 3
    assert found(cache, 1, 3) == 1
    assert found(cache, 2, 3) == 0
    assert cache.match(tokens(1)[:63]) == []
    assert len(cache) == 3


def test_equal_blocks_are_kept_once() -> None:
    pool = BlockPool(16)
    cache = PrefixCache(pool)
    first = store(cache, pool, 1, 2, keep=True)
    second = store(cache, pool, 1, 2, keep=True)
    assert list(first.blocks) == list(second.blocks)
    assert second.array[:2].tolist() == list(first.blocks)
    assert pool.free == 14
    first.clear()
    second.clear()
    assert cache.evictable() == 2


def test_the_least_recently_used_end_goes_first() -> None:
    pool = BlockPool(6)
    cache = PrefixCache(pool)
    store(cache, pool, 1, 2)
    store(cache, pool, 5, 6)
    assert found(cache, 1, 2) == 2  # now the first chain is younger
    assert cache.evict(1) == 1
    assert found(cache, 5, 6) == 1
    assert found(cache, 1, 2) == 2
    assert cache.evict(2) == 2
    assert found(cache, 5) == 0  # the beginning of the older chain, then the younger one's end
    assert found(cache, 1, 2) == 1


def test_blocks_in_use_stay() -> None:
    pool = BlockPool(4)
    cache = PrefixCache(pool)
    used = store(cache, pool, 1, 2, keep=True)
    store(cache, pool, 7)
    assert cache.evictable() == 1
    assert cache.evict(5) == 1
    assert found(cache, 1, 2) == 2
    used.clear()
    assert cache.evict(5) == 2
    assert pool.free == 4
    assert len(cache) == 0


def test_clearing_leaves_running_sequences_alone() -> None:
    pool = BlockPool(4)
    cache = PrefixCache(pool)
    used = store(cache, pool, 1, 2, keep=True)
    cache.clear()
    assert pool.free == 2
    assert found(cache, 1) == 0
    used.clear()
    assert pool.free == 4


def test_the_block_that_begins_most_alike_is_found() -> None:
    pool = BlockPool(8)
    cache = PrefixCache(pool)
    table = BlockTable(pool)
    table.grow(64)
    base = cache.insert(None, tokens(1), table, 0)
    for index, equal in enumerate((10, 40, 20), 1):
        content = np.arange(64, dtype=np.int32)
        content[equal:] = 99
        table.grow(64 * (index + 1))
        cache.insert(base, content, table, index)
    wanted = np.arange(64, dtype=np.int32)
    node, equal = cache.match_part(base, wanted)
    assert equal == 40
    assert node is not None
    assert node.block == table.blocks[2]
    assert cache.holds(node)
    assert cache.match_part(base, wanted[:30]) == (node, 30)
    assert cache.match_part(base, wanted[5:]) == (None, 0)
    assert cache.match_part(None, wanted) == (None, 0)
    table.clear()
    cache.evict(8)
    assert not cache.holds(node)
    assert cache.match_part(base, wanted) == (None, 0)


def test_scopes_find_only_their_own_blocks() -> None:
    pool = BlockPool(16)
    cache = PrefixCache(pool)
    tables = {}
    for scope in ("", "a", "b"):
        tables[scope] = BlockTable(pool)
        assert tables[scope].grow(128)
        node = cache.insert(None, tokens(1), tables[scope], 0, scope)
        cache.insert(node, tokens(2), tables[scope], 1, scope)
    assert len({table.blocks[0] for table in tables.values()}) == 3
    for scope, table in tables.items():
        assert [node.block for node in cache.match(tokens(1, 2), scope)] == list(table.blocks)
    assert cache.match(tokens(1, 2), "c") == []
    part, equal = cache.match_part(None, tokens(1)[:40], "b")
    assert (part and part.block, equal) == (tables["b"].blocks[0], 40)
    assert cache.match_part(None, tokens(1)[:40], "c") == (None, 0)


def test_scopes_without_blocks_are_forgotten() -> None:
    pool = BlockPool(16)
    cache = PrefixCache(pool)
    table = BlockTable(pool)
    assert table.grow(64)
    cache.insert(None, tokens(1), table, 0, "kept")
    for number in range(10_000):
        cache.match(tokens(1), f"scope {number}")
    assert len(cache._roots) < 3000
    assert len(cache.match(tokens(1), "kept")) == 1
