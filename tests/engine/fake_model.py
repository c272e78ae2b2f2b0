"""A model without arithmetic: its logits are a hash of the tokens that it finds in its cache.

Wrong positions, block tables, chunk borders or neighbours change what is found, hence the tokens.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from pyinfer.config import ModelConfig
from pyinfer.engine.messages import Request
from pyinfer.engine.params import SamplingParams
from pyinfer.engine.sampler import Sampler
from pyinfer.errors import CancelledError
from pyinfer.model.cache import BlockPool
from pyinfer.model.step import Span

from .sampling_oracle import Row, make_row

VOCABULARY = 61
N_VALID = 58
EOS = 57
CANDIDATES = 12


def config(vocabulary: int = VOCABULARY) -> ModelConfig:
    return ModelConfig(
        architecture="qwen2",
        vocab_size=vocabulary,
        hidden_size=8,
        intermediate_size=8,
        n_layers=1,
        n_heads=1,
        n_kv_heads=1,
        head_dim=8,
        rms_norm_eps=1e-6,
        rope_theta=10000.0,
        rope_scaling=None,
        max_position=100_000,
        tie_embeddings=True,
        name="fake",
    )


def prefix_logits(prefix: np.ndarray) -> np.ndarray:
    """float32 (VOCABULARY,) that depend on every token of ``prefix`` and their order."""
    seed = zlib.crc32(np.ascontiguousarray(prefix, np.int32).tobytes())
    logits = np.random.default_rng(seed).normal(0, 2.5, VOCABULARY).astype(np.float32)
    logits[EOS] -= 3  # answers of some length
    return logits


@lru_cache(maxsize=30_000)
def _row(prefix: bytes) -> Row:
    return make_row(prefix_logits(np.frombuffer(prefix, np.int32)), N_VALID, CANDIDATES)


def prefix_row(prefix: np.ndarray) -> Row:
    return _row(np.ascontiguousarray(prefix, np.int32).tobytes())


def reference_answer(
    prompt: Sequence[int], params: SamplingParams, limit: int, choice: int = 0, eos: bool = True
) -> list[int]:
    """The answer by the definition: no cache, no batches, no chunks."""
    sampler = Sampler(params, N_VALID, choice=choice, eos_ids=(EOS,) if eos else ())
    sampler.start(list(prompt))
    tokens = list(prompt)
    ends = {EOS, *params.stop_token_ids} if eos else set(params.stop_token_ids)
    most = limit if params.max_tokens is None else min(limit, len(prompt) + params.max_tokens)
    while len(tokens) < most:
        token = sampler.choose(prefix_row(np.array(tokens)), len(tokens))
        sampler.accept(token)
        tokens.append(token)
        if token in ends:
            break
    return tokens[len(prompt) :]


class FakeModel:
    """Keeps tokens where a real model keeps keys and values, and checks what it is given.

    Attributes
    ----------
    steps : list of list of (int, int)
        (start, tokens) of the spans of each completed step.
    before_step : callable or None
        Called with the spans and the cancel flag at the start of each step.
    pool : BlockPool or None
        If set, every block written must have one holder.
    """

    block_tokens = 64

    def __init__(
        self, n_blocks: int = 64, max_step_tokens: int = 128, max_logit_rows: int = 64
    ) -> None:
        self.config = config()
        self.n_valid = N_VALID
        self.n_blocks = n_blocks
        self.max_step_tokens = max_step_tokens
        self.max_logit_rows = max_logit_rows
        self.steps: list[list[tuple[int, int]]] = []
        self.before_step: Callable[[Sequence[Span], Any], None] | None = None
        self.spoil: Callable[[Span], bool] = lambda span: False
        self.pool: BlockPool | None = None
        self.closed = False
        self.row_of: Callable[[np.ndarray], Row] = prefix_row
        self._cells = np.full((n_blocks, 64), -1, np.int32)

    def step(self, spans: Sequence[Span], cancel: Any = None) -> list[Row]:
        if self.before_step is not None:
            self.before_step(spans, cancel)
        if cancel is not None and cancel.is_set():
            raise CancelledError("cancelled")
        assert 0 < sum(len(span.tokens) for span in spans) <= self.max_step_tokens
        for span in spans:
            self._write(span)
        rows = []
        for span in spans:
            rows += self._rows(span)
        assert len(rows) <= self.max_logit_rows
        self.steps.append([(span.start, len(span.tokens)) for span in spans])
        return rows

    def _write(self, span: Span) -> None:
        assert span.tokens.dtype == np.int32
        assert span.blocks.dtype == np.int32
        end = span.start + len(span.tokens)
        table = span.blocks[: -(-end // 64)]
        assert len(span.tokens) >= 1
        assert len(table) * 64 >= end
        assert len(set(table.tolist())) == len(table)
        for position, token in enumerate(span.tokens, span.start):
            block = table[position // 64]
            if self.pool is not None:
                assert self.pool.references(int(block)) == 1
            self._cells[block, position % 64] = token

    def _rows(self, span: Span) -> list[Row]:
        end = span.start + len(span.tokens)
        table = span.blocks[: -(-end // 64)]
        prefix = self._cells[table].reshape(-1)[:end]
        assert prefix.min() >= 0, "a token is read that was never written"
        assert prefix[span.start :].tolist() == span.tokens.tolist()
        first = {0: end, 1: end - 1, 2: span.start}[span.logits]
        rows = [self.row_of(prefix[: i + 1]) for i in range(first, end)]
        return [replace(row, finite=False) for row in rows] if self.spoil(span) else rows

    def copy_block(self, source: int, target: int) -> None:
        assert source != target
        if self.pool is not None:
            assert self.pool.references(target) == 1
            assert self.pool.references(source) >= 1
        self._cells[target] = self._cells[source]

    def close(self) -> None:
        self.closed = True


class Flag(threading.Event):
    """As the compiled cancel flag."""


def wait_for_cancel(seconds: float = 20.0) -> Callable[[Sequence[Span], Any], None]:
    """A step that goes on until it is cancelled."""

    def run(spans: Sequence[Span], cancel: Any) -> None:
        deadline = time.monotonic() + seconds
        while not cancel.is_set():
            assert time.monotonic() < deadline, "nobody cancelled the step"
            time.sleep(0.001)

    return run


def make_request(request_id: int, tokens: Sequence[int], **settings: Any) -> Request:
    names = ("choice", "context", "stream", "reuse_prefix", "prompt_logits", "prompt_logprobs")
    own = {name: settings.pop(name) for name in names if name in settings}
    settings.setdefault("seed", 1)
    return Request(
        request_id=request_id,
        tokens=np.array(tokens, np.int32),
        params=SamplingParams(**settings),
        **own,
    )
