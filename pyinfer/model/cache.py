"""Who owns which block of the key/value cache.

The memory of the cache belongs to the model; this module only hands out block numbers. A block
holds 64 consecutive tokens of one sequence, in all layers. Blocks are counted references: several
sequences with a common beginning share its full blocks, and the prefix cache keeps blocks of ended
sequences. A shared block is never written: only the last, partly filled block of a sequence takes
new tokens, and that one always has a single owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from pyinfer.model.step import BLOCK_TOKENS


def blocks_for(tokens: int) -> int:
    """How many blocks hold ``tokens`` tokens."""
    return -(-tokens // BLOCK_TOKENS)


class BlockPool:
    """Reference counts over ``n_blocks`` cache blocks.

    Parameters
    ----------
    n_blocks : int
        Size of the pool.

    Examples
    --------
    >>> pool = BlockPool(2)
    >>> block = pool.allocate()
    >>> pool.share([block])
    >>> pool.release([block]); pool.free
    1
    >>> pool.release([block]); pool.free
    2
    """

    __slots__ = ("_free", "_references", "n_blocks")

    def __init__(self, n_blocks: int) -> None:
        if n_blocks < 1:
            raise ValueError(f"a pool needs at least one block, not {n_blocks}")
        self.n_blocks = n_blocks
        self._references = [0] * n_blocks
        # Taken from the end: low numbers first, and what was freed last is used first (warm pages).
        self._free = list(range(n_blocks - 1, -1, -1))

    @property
    def free(self) -> int:
        """Number of blocks that nobody holds."""
        return len(self._free)

    def references(self, block: int) -> int:
        """How many holders ``block`` has."""
        return self._references[block]

    def allocate(self) -> int | None:
        """A block with one holder, or None when all are taken."""
        if not self._free:
            return None
        block = self._free.pop()
        self._references[block] = 1
        return block

    def share(self, blocks: Iterable[int]) -> None:
        """Add one holder to each of ``blocks``, which must have one already."""
        for block in blocks:
            if self._references[block] < 1:
                raise ValueError(f"block {block} is free and cannot be shared")
            self._references[block] += 1

    def release(self, blocks: Iterable[int]) -> None:
        """Take one holder off each of ``blocks``; the last one frees it."""
        for block in blocks:
            left = self._references[block] - 1
            if left < 0:
                raise ValueError(f"block {block} is already free")
            self._references[block] = left
            if left == 0:
                self._free.append(block)


class BlockTable:
    """The blocks of one sequence, in order of its tokens.

    Attributes
    ----------
    pool : BlockPool
        Where the blocks come from.
    """

    __slots__ = ("_array", "_blocks", "pool")

    def __init__(self, pool: BlockPool) -> None:
        self.pool = pool
        self._blocks: list[int] = []
        self._array = np.zeros(8, np.int32)

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def blocks(self) -> Sequence[int]:
        """The block numbers; not to be changed."""
        return self._blocks

    @property
    def array(self) -> npt.NDArray[np.int32]:
        """The block numbers as int32 (m,), m at least ``len(self)``; later calls write into it."""
        return self._array

    def append(self, block: int) -> None:
        """Add a block whose one reference the caller hands over."""
        count = len(self._blocks)
        if count == len(self._array):
            self._array = np.concatenate((self._array, np.zeros_like(self._array)))
        self._array[count] = block
        self._blocks.append(block)

    def adopt(self, blocks: Sequence[int]) -> None:
        """Share ``blocks`` (full ones, with a holder) and put them at the end."""
        self.pool.share(blocks)
        for block in blocks:
            self.append(block)

    def grow(self, tokens: int) -> bool:
        """Hold enough blocks for ``tokens`` tokens; False if the pool ran out on the way."""
        while len(self._blocks) * BLOCK_TOKENS < tokens:
            block = self.pool.allocate()
            if block is None:
                return False
            self.append(block)
        return True

    def truncate(self, tokens: int) -> int:
        """Forget the tokens from ``tokens`` on; return how many remain usable.

        That is less than asked when the new last block is partly filled and shared: since nobody
        may write into a shared block, the sequence goes back to the border before it.
        """
        keep = blocks_for(tokens)
        if keep < len(self._blocks) or tokens % BLOCK_TOKENS:
            shared = (
                tokens % BLOCK_TOKENS
                and keep <= len(self._blocks)
                and self.pool.references(self._blocks[keep - 1]) > 1
            )
            if shared:
                keep -= 1
                tokens = keep * BLOCK_TOKENS
            self.pool.release(reversed(self._blocks[keep:]))
            del self._blocks[keep:]
        return tokens

    def replace(self, index: int, block: int) -> None:
        """Put ``block``, which holds the same tokens, in place of entry ``index``."""
        self.pool.share((block,))
        self.pool.release((self._blocks[index],))
        self._blocks[index] = block
        self._array[index] = block

    def clear(self) -> None:
        """Give all blocks back."""
        # Backwards, so that the next sequence gets them in the same order.
        self.pool.release(reversed(self._blocks))
        self._blocks.clear()
