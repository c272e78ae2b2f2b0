"""Prefix cache: full blocks of past sequences, found again by their tokens.

A block is identified by the blocks before it and its own 64 tokens, compared exactly, so a hit is
never a guess. Its content does not depend on how it was computed, so a hit changes no result. The
cache is one more holder of its blocks; a block that only the cache holds can be evicted.

A hit is faster, and it is counted: who shares a cache with others can find out what they sent. So
each scope of requests has a root of its own, and sees only what was computed for it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from pyinfer.model.cache import BlockPool, BlockTable
from pyinfer.model.step import BLOCK_TOKENS

Tokens = npt.NDArray[np.int32]

_MOST_LOOKED_AT = 64
_MOST_EMPTY_ROOTS = 1024


@dataclass(slots=True)
class PrefixNode:
    """One cached block.

    Attributes
    ----------
    key : tuple of (int, bytes)
        Number of the node before it (of the root at the start of a sequence) and the tokens.
    number : int
        Names this node in the keys of those after it; never used twice.
    block : int
    parent : PrefixNode or None
    """

    key: tuple[int, bytes]
    number: int
    block: int
    parent: PrefixNode | None


class PrefixCache:
    """Least recently used cache of full blocks over one pool.

    Attributes
    ----------
    queried_tokens, hit_tokens : int
        How many prompt tokens were looked up and found, for metrics; kept by the scheduler.
    """

    def __init__(self, pool: BlockPool) -> None:
        self._pool = pool
        # Oldest first. A node is always younger than the nodes after it, so what is taken from the
        # old end has nothing behind it.
        self._nodes: OrderedDict[tuple[int, bytes], PrefixNode] = OrderedDict()
        # The nodes after each node, by its number.
        self._after: dict[int, dict[bytes, PrefixNode]] = {}
        self._roots = {"": 0}
        self._last_number = 0
        self.queried_tokens = 0
        self.hit_tokens = 0

    def __len__(self) -> int:
        return len(self._nodes)

    def root(self, scope: str) -> int:
        """The number before the first block of every sequence of a scope."""
        if scope not in self._roots:
            self._forget_empty_roots()
            self._last_number += 1
            self._roots[scope] = self._last_number
        return self._roots[scope]

    def _forget_empty_roots(self) -> None:
        if len(self._roots) > _MOST_EMPTY_ROOTS + len(self._after):
            self._roots = {s: n for s, n in self._roots.items() if not s or n in self._after}

    def match(self, tokens: Tokens, scope: str = "") -> list[PrefixNode]:
        """The longest run of cached blocks at the start of ``tokens``."""
        found: list[PrefixNode] = []
        number = self.root(scope)
        for start in range(0, len(tokens) - BLOCK_TOKENS + 1, BLOCK_TOKENS):
            node = self._nodes.get((number, tokens[start : start + BLOCK_TOKENS].tobytes()))
            if node is None:
                break
            found.append(node)
            number = node.number
        self._touch(found[-1] if found else None)
        return found

    def match_part(
        self, node: PrefixNode | None, tokens: Tokens, scope: str = ""
    ) -> tuple[PrefixNode | None, int]:
        """The block after ``node`` that begins most like ``tokens``, and how many are equal."""
        best, length = None, 0
        wanted = tokens[:BLOCK_TOKENS]
        after = self._after.get(node.number if node else self.root(scope), {})
        # The latest ones, so that a beginning with very many continuations costs little.
        for content, candidate in islice(reversed(after.items()), _MOST_LOOKED_AT):
            held = np.frombuffer(content, np.int32)[: len(wanted)]
            differs = np.flatnonzero(held != wanted)
            equal = int(differs[0]) if len(differs) else len(wanted)
            if equal > length:
                best, length = candidate, equal
        self._touch(best)
        return best, length

    def holds(self, node: PrefixNode) -> bool:
        """Whether ``node`` has not been evicted."""
        return self._nodes.get(node.key) is node

    def insert(
        self,
        parent: PrefixNode | None,
        tokens: Tokens,
        table: BlockTable,
        index: int,
        scope: str = "",
    ) -> PrefixNode:
        """Keep block ``index`` of ``table``, which holds 64 ``tokens`` that come after ``parent``.

        If the same tokens are cached already, the table switches to the cached block and its own
        copy is given back.
        """
        key = (parent.number if parent else self.root(scope), tokens.tobytes())
        node = self._nodes.get(key)
        if node is None:
            self._last_number += 1
            node = PrefixNode(key, self._last_number, table.blocks[index], parent)
            self._pool.share((node.block,))
            self._nodes[key] = node
            self._after.setdefault(key[0], {})[key[1]] = node
        elif node.block != table.blocks[index]:
            table.replace(index, node.block)
        self._touch(node)
        return node

    def evictable(self) -> int:
        """How many blocks nobody but the cache holds."""
        references = self._pool.references
        return sum(references(node.block) == 1 for node in self._nodes.values())

    def evict(self, count: int) -> int:
        """Free up to ``count`` blocks, least recently used first; return how many were freed."""
        chosen: list[tuple[int, bytes]] = []
        for key, node in self._nodes.items():
            if len(chosen) == count:
                break
            if self._pool.references(node.block) == 1:
                chosen.append(key)
        for key in chosen:
            self._pool.release((self._nodes.pop(key).block,))
            siblings = self._after[key[0]]
            del siblings[key[1]]
            if not siblings:
                del self._after[key[0]]
        return len(chosen)

    def clear(self) -> None:
        """Drop every block that nobody else holds, and forget the others."""
        self._pool.release(node.block for node in self._nodes.values())
        self._nodes.clear()
        self._after.clear()

    def _touch(self, node: PrefixNode | None) -> None:
        while node is not None:
            if node.key in self._nodes:
                self._nodes.move_to_end(node.key)
            node = node.parent
