"""Which sequences take part in the next step, and with how many tokens.

Every running answer gets its next token in every step; prompts fill the rest of the step in chunks.
Sequences take cache blocks as they grow. When none is left, blocks that only the prefix cache holds
are evicted, then the newest sequence is put back and computed again later, so the oldest always
makes progress. What is computed never depends on this order.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pyinfer.engine.pacing import SMALLEST_CHUNK, Pacer
from pyinfer.engine.prefix import PrefixCache
from pyinfer.engine.sequence import Sequence
from pyinfer.model.cache import BlockPool, blocks_for
from pyinfer.model.step import BLOCK_TOKENS

Plan = list[tuple[Sequence, int]]

# Fewer equal tokens are computed again: a step does them in passing.
_SMALLEST_COPY = 4


class Scheduler:
    """Queues of waiting and running sequences over one block pool.

    Parameters
    ----------
    pool : BlockPool
    pacer : Pacer
        Limits prompt chunks beside running answers.
    max_step_tokens, max_logit_rows : int
        Limits of one step of the model.
    max_running : int
        Most sequences that run at once.
    copy_block : callable
        Copies the cache content of one block (first argument) over another.

    Attributes
    ----------
    waiting, running : list of Sequence
        Both in order of arrival.
    preemptions : int
        How often a sequence was put back.
    max_running : int
        Most sequences that run at once, within the limits of a step.
    """

    def __init__(
        self,
        pool: BlockPool,
        pacer: Pacer,
        *,
        max_step_tokens: int,
        max_logit_rows: int,
        max_running: int,
        copy_block: Callable[[int, int], None],
    ) -> None:
        self.pool = pool
        self.prefix = PrefixCache(pool)
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []
        self.preemptions = 0
        self._pacer = pacer
        self._copy_block = copy_block
        self._max_logit_rows = max_logit_rows
        # All running answers fit one step, so none waits for its turn.
        self.max_running = min(max_running, max_logit_rows, max_step_tokens // SMALLEST_CHUNK)
        self._blocked = False

    def add(self, sequence: Sequence) -> None:
        """Put a sequence at its place among the waiting ones."""
        insort(self.waiting, sequence, key=_turn)

    def remove(self, sequence: Sequence) -> None:
        """Forget a sequence that ended and free its blocks."""
        if sequence.running:
            self.running.remove(sequence)
            self._give_up_blocks(sequence)
        else:
            self.waiting.remove(sequence)
            self._blocked = False

    def reset(self) -> None:
        """Forget everything, the prefix cache too; also after a failure in the middle of a plan."""
        for sequence in [*self.running, *self.waiting]:
            self._give_up_blocks(sequence)
        self.running.clear()
        self.waiting.clear()
        self.prefix.clear()

    def plan(self) -> Plan:
        """Sequences of the next step and how many tokens of each; their blocks are reserved."""
        if self.waiting and not self._blocked:
            self._admit()
        chosen: dict[Sequence, int] = {}
        prompts: list[Sequence] = []
        decoding = 0
        for sequence in tuple(self.running):
            if not sequence.running or sequence.paused:
                continue
            count = sequence.n_tokens - sequence.n_computed
            if count > SMALLEST_CHUNK or sequence.request.every_row:
                prompts.append(sequence)
            elif self._reserve(sequence, count, chosen):
                chosen[sequence] = count
                decoding += count
        prompts = self._without_twins(prompts)
        if prompts:
            self._add_prompts(prompts, decoding, chosen)
        return list(chosen.items())

    def advance(self, sequence: Sequence, count: int) -> None:
        """Note that ``count`` more tokens are in the cache."""
        sequence.n_computed += count
        if not sequence.request.reuse_prefix:
            return
        while (sequence.n_registered + 1) * BLOCK_TOKENS <= sequence.n_computed:
            index = sequence.n_registered
            tokens = sequence.tokens[index * BLOCK_TOKENS : (index + 1) * BLOCK_TOKENS]
            sequence.node = self.prefix.insert(
                sequence.node, tokens, sequence.table, index, sequence.request.cache_scope
            )
            sequence.n_registered += 1

    def _without_twins(self, prompts: list[Sequence]) -> list[Sequence]:
        """Leave out prompts whose next block an older one computes in this step anyway.

        In the next step they take over what has become known in the meantime.
        """
        if len(prompts) < 2:
            return prompts
        chosen: list[Sequence] = []
        blocks: set[tuple[int, bytes]] = set()
        for sequence in prompts:
            if not sequence.running or not self._shares(sequence):
                chosen.append(sequence)
                continue
            start = sequence.n_registered * BLOCK_TOKENS
            if start == sequence.n_computed:
                self._take_known(sequence)
                start = sequence.n_computed
            scope = sequence.request.cache_scope
            number = sequence.node.number if sequence.node else self.prefix.root(scope)
            block = (number, sequence.tokens[start : start + BLOCK_TOKENS].tobytes())
            if block not in blocks or start != sequence.n_computed:
                chosen.append(sequence)
            blocks.add(block)
        return chosen

    def _shares(self, sequence: Sequence) -> bool:
        return sequence.request.reuse_prefix and not sequence.request.every_row

    def _take_known(self, sequence: Sequence) -> None:
        """Adopt the cached blocks that continue a sequence; it stands at the end of a block."""
        # The last token is always computed: its logits are wanted.
        known = sequence.tokens[: sequence.n_tokens - 1]
        scope = sequence.request.cache_scope
        nodes = self.prefix.match(known, scope)[sequence.n_registered :]
        before = sequence.n_computed
        if nodes:
            sequence.table.truncate(before)
            sequence.table.adopt([node.block for node in nodes])
            sequence.n_computed += len(nodes) * BLOCK_TOKENS
            sequence.n_registered += len(nodes)
            sequence.node = nodes[-1]
        self._copy_part(sequence, known[sequence.n_computed :])
        if not sequence.preemptions:
            sequence.n_cached += sequence.n_computed - before
            self.prefix.hit_tokens += sequence.n_computed - before

    def _copy_part(self, sequence: Sequence, tokens: npt.NDArray[np.int32]) -> None:
        """Copy the cached beginning of the next block, if some block begins alike.

        A prompt that continues an earlier one diverges inside a block; this saves the tokens up to
        that point.
        """
        scope = sequence.request.cache_scope
        source, equal = self.prefix.match_part(sequence.node, tokens, scope)
        if source is None or equal < _SMALLEST_COPY:
            return
        if not self.pool.free:
            self.prefix.evict(1)
            if not self.prefix.holds(source):
                return
        sequence.table.truncate(sequence.n_computed)
        if sequence.table.grow(sequence.n_computed + equal):
            self._copy_block(source.block, sequence.table.blocks[-1])
            sequence.n_computed += equal

    def _add_prompts(
        self, prompts: list[Sequence], decoding: int, chosen: dict[Sequence, int]
    ) -> None:
        """Fill the step: half for the oldest prompt, the other half for the shortest ones.

        The oldest is never starved, and a short prompt need not wait for a long one.
        """
        budget = self._pacer.chunk(decoding, len(prompts))
        oldest, others = prompts[0], sorted(prompts[1:], key=_pending)
        wanted = {oldest: min(oldest.pending, budget - budget // 2)}
        left = budget - wanted[oldest]
        for sequence in others:
            wanted[sequence] = min(sequence.pending, left)
            left -= wanted[sequence]
        wanted[oldest] += min(left, oldest.pending - wanted[oldest])
        rows_left = max(1, self._max_logit_rows - len(self.running))
        for sequence, tokens in wanted.items():
            count = tokens
            if sequence.request.every_row:
                count = min(tokens, rows_left)
                rows_left -= count
            if count > 0 and sequence.running and self._reserve(sequence, count, chosen):
                chosen[sequence] = count

    def _reserve(self, sequence: Sequence, count: int, chosen: dict[Sequence, int]) -> bool:
        """Blocks for ``count`` more tokens; False if the sequence itself had to be put back."""
        end = sequence.n_computed + count
        table = sequence.table
        while not table.grow(end):
            if self.prefix.evict(blocks_for(end) - len(table)):
                continue
            newest = self.running[-1]
            self._preempt(newest)
            chosen.pop(newest, None)
            if newest is sequence:
                return False
        return True

    def _preempt(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self._give_up_blocks(sequence)
        sequence.preemptions += 1
        self.preemptions += 1
        self.add(sequence)
        # It comes back when another sequence ends, not in this very step.
        self._blocked = bool(self.running)

    def _give_up_blocks(self, sequence: Sequence) -> None:
        sequence.table.clear()
        sequence.running = False
        sequence.n_computed = 0
        sequence.node = None
        sequence.n_registered = 0
        self._blocked = False

    def _admit(self) -> None:
        while self.waiting and len(self.running) < self.max_running:
            sequence = self.waiting[0]
            if not self._take_in(sequence):
                self._blocked = True
                return
            self.waiting.pop(0)

    def _take_in(self, sequence: Sequence) -> bool:
        """Start a waiting sequence if its tokens fit beside what the running ones still need."""
        shares = self._shares(sequence)
        if self.running:
            known = sequence.tokens[: sequence.n_tokens - 1]
            nodes = self.prefix.match(known, sequence.request.cache_scope) if shares else []
            references = self.pool.references
            idle = self.prefix.evictable() - sum(references(n.block) == 1 for n in nodes)
            promised = sum(
                max(0, blocks_for(other.n_tokens + 1) - len(other.table)) for other in self.running
            )
            need = blocks_for(sequence.n_tokens + 1) - len(nodes)
            if need > self.pool.free + idle - promised:
                return False
        if shares:
            if not sequence.preemptions:
                self.prefix.queried_tokens += sequence.n_prompt
            self._take_known(sequence)
        sequence.running = True
        insort(self.running, sequence, key=_arrival)
        return True


def _arrival(sequence: Sequence) -> int:
    return sequence.arrival


def _turn(sequence: Sequence) -> tuple[int, int]:
    return sequence.request.priority, sequence.arrival


def _pending(sequence: Sequence) -> int:
    return sequence.pending
