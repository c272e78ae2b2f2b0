"""One running request: its tokens, how many of them are computed, and where they are cached."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyinfer.engine.hooks import Hooks
from pyinfer.engine.messages import Request, Stats, TokenLogprobs
from pyinfer.engine.params import SamplingParams
from pyinfer.engine.prefix import PrefixNode
from pyinfer.engine.sampler import Sampler
from pyinfer.model.cache import BlockPool, BlockTable
from pyinfer.model.step import LOGITS_ALL, LOGITS_LAST, LOGITS_NONE, Span


class Sequence:
    """State of one request inside the engine.

    Attributes
    ----------
    n_tokens, n_prompt, n_computed : int
        Tokens known, how many of them are the prompt, how many are in the cache.
    n_cached : int
        Prompt tokens that were found in the prefix cache on admission.
    limit : int
        Most tokens of prompt and answer together.
    arrival : int
        Order of submission; the largest is preempted first.
    running : bool
        Whether it holds blocks and takes part in steps.
    paused : bool
        Takes part in no step for now.
    node, n_registered : PrefixNode or None, int
        Last block that the prefix cache knows, and how many blocks that is.
    unsent : list of int
        Tokens that no event carried yet, with their log-probabilities if asked.
    """

    __slots__ = (
        "_buffer",
        "admitted_ns",
        "arrival",
        "end_ids",
        "eos_ids",
        "first_token_ns",
        "hooks",
        "limit",
        "mask",
        "n_cached",
        "n_computed",
        "n_prompt",
        "n_registered",
        "n_tokens",
        "node",
        "params",
        "paused",
        "preemptions",
        "request",
        "running",
        "sampler",
        "sent_ns",
        "table",
        "unsent",
        "unsent_logprobs",
    )

    def __init__(
        self,
        request: Request,
        params: SamplingParams,
        sampler: Sampler,
        pool: BlockPool,
        *,
        arrival: int,
        limit: int,
        eos_ids: frozenset[int],
        hooks: Hooks | None = None,
        mask: npt.NDArray[np.uint32] | None = None,
    ) -> None:
        self.request = request
        self.params = params
        self.sampler = sampler
        self.hooks = hooks
        self.mask = mask
        self.arrival = arrival
        self.limit = limit
        self.eos_ids = eos_ids
        self.end_ids = eos_ids | frozenset(params.stop_token_ids)
        self.n_prompt = self.n_tokens = len(request.tokens)
        self._buffer = np.empty(self.n_prompt + 256, np.int32)
        self._buffer[: self.n_prompt] = request.tokens
        self.n_computed = 0
        self.n_cached = 0
        self.table = BlockTable(pool)
        self.node: PrefixNode | None = None
        self.n_registered = 0
        self.running = False
        self.paused = False
        self.preemptions = 0
        self.admitted_ns = 0
        self.first_token_ns = 0
        self.sent_ns = 0
        self.unsent: list[int] = []
        self.unsent_logprobs: list[TokenLogprobs | None] = []

    @property
    def pending(self) -> int:
        """Tokens that are known but not yet in the cache."""
        return self.n_tokens - self.n_computed

    @property
    def generated(self) -> int:
        """Tokens of the answer so far."""
        return self.n_tokens - self.n_prompt

    @property
    def tokens(self) -> npt.NDArray[np.int32]:
        """All tokens, int32 (n_tokens,); a view."""
        return self._buffer[: self.n_tokens]

    def append(self, token: int) -> None:
        """Add one token of the answer."""
        if self.n_tokens == len(self._buffer):
            larger = np.empty(2 * self.n_tokens, np.int32)
            larger[: self.n_tokens] = self._buffer
            self._buffer = larger
        self._buffer[self.n_tokens] = token
        self.n_tokens += 1

    def span(self, count: int) -> Span:
        """The next ``count`` tokens to compute, with the logits that they are computed for."""
        start = self.n_computed
        end = start + count
        if self.request.every_row:
            logits = LOGITS_ALL
        elif end == self.n_tokens and self.params.max_tokens != 0:
            logits = LOGITS_LAST
        else:
            logits = LOGITS_NONE
        keep = LOGITS_LAST if self.request.embed else LOGITS_NONE
        return Span(self._buffer[start:end], start, self.table.array, logits, keep)

    def stats(self, now: int) -> Stats:
        """Counts and durations at the end."""
        submitted = self.request.submitted_ns or self.admitted_ns
        admitted = self.admitted_ns or now
        first = self.first_token_ns or now
        assert self.params.seed is not None
        return Stats(
            prompt_tokens=self.n_prompt,
            cached_tokens=self.n_cached,
            completion_tokens=self.generated,
            seed=self.params.seed,
            queue_ns=max(0, admitted - submitted) if submitted else 0,
            prompt_ns=max(1, first - admitted),
            decode_ns=max(1, now - first),
            preemptions=self.preemptions,
        )
