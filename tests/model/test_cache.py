"""The block pool keeps its books under any order of operations."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from pyinfer.model.cache import BlockPool, BlockTable, blocks_for


class PoolMachine(RuleBasedStateMachine):
    """Tables grow, share, shrink and end; a plain list of holders says what must be true."""

    tables = Bundle("tables")

    @initialize(n_blocks=st.integers(1, 12))
    def start(self, n_blocks: int) -> None:
        self.pool = BlockPool(n_blocks)
        self.alive: list[tuple[BlockTable, list[int]]] = []

    @rule(target=tables)
    def new_table(self) -> Any:
        self.alive.append((BlockTable(self.pool), [0]))
        return self.alive[-1]

    @rule(entry=tables, more=st.integers(1, 200))
    def grow(self, entry: Any, more: int) -> None:
        table, tokens = entry
        before, free = len(table), self.pool.free
        wanted = tokens[0] + more
        fits = blocks_for(wanted) - before <= free
        assert table.grow(wanted) is fits
        if fits:
            tokens[0] = wanted
        else:
            assert self.pool.free == 0
            table.truncate(tokens[0])

    @rule(target=tables, entry=tables)
    def fork(self, entry: Any) -> Any:
        table, tokens = entry
        full = tokens[0] // 64
        copy = BlockTable(self.pool)
        copy.adopt(table.blocks[:full])
        self.alive.append((copy, [full * 64]))
        return self.alive[-1]

    @rule(entry=tables, share=st.floats(0, 1))
    def truncate(self, entry: Any, share: float) -> None:
        table, tokens = entry
        wanted = int(tokens[0] * share)
        kept = table.truncate(wanted)
        assert kept == wanted or (kept == wanted // 64 * 64 and wanted - kept < 64)
        assert len(table) == blocks_for(kept)
        if kept % 64:
            assert self.pool.references(table.blocks[-1]) == 1
        tokens[0] = kept

    @rule(entry=consumes(tables))
    def end(self, entry: Any) -> None:
        entry[0].clear()
        self.alive = [other for other in self.alive if other is not entry]

    @invariant()
    def books_are_right(self) -> None:
        if not hasattr(self, "pool"):
            return
        held = [block for table, _ in self.alive for block in table.blocks]
        for block in range(self.pool.n_blocks):
            assert self.pool.references(block) == held.count(block)
        assert self.pool.free == self.pool.n_blocks - len(set(held))
        for table, _ in self.alive:
            assert len(set(table.blocks)) == len(table)
            assert table.array[: len(table)].tolist() == list(table.blocks)


PoolMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestPool = PoolMachine.TestCase


def test_a_free_block_can_be_neither_shared_nor_released() -> None:
    pool = BlockPool(2)
    block = pool.allocate()
    assert block is not None
    pool.release([block])
    with pytest.raises(ValueError, match="free"):
        pool.share([block])
    with pytest.raises(ValueError, match="free"):
        pool.release([block])
    with pytest.raises(ValueError, match="at least one"):
        BlockPool(0)


def test_an_empty_pool_gives_nothing() -> None:
    pool = BlockPool(1)
    assert pool.allocate() == 0
    assert pool.allocate() is None
