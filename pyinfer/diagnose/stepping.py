"""Drives a model step by step and takes the time: prompts, decode, several sequences, any depth."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from pyinfer.model.model import Model
from pyinfer.model.step import BLOCK_TOKENS, LOGITS_LAST, LOGITS_NONE, Span

Tokens = npt.NDArray[np.int32]


class Stepper:
    """Steps of one model with random tokens, timed without tokenizer, sampler and engine.

    Parameters
    ----------
    model : Model
    sequences : int
        Sequences that run side by side; they share the model's cache pool evenly.

    Attributes
    ----------
    room : int
        Most tokens that each sequence can hold.
    chunk : int
        Tokens of each sequence that one step of a prompt evaluates.
    """

    def __init__(self, model: Model, sequences: int = 1) -> None:
        self._model = model
        blocks = model.n_blocks // sequences
        self._tables = [
            np.arange(i * blocks, (i + 1) * blocks, dtype=np.int32) for i in range(sequences)
        ]
        self._filled = 0
        self.room = min(blocks * BLOCK_TOKENS, model.limits.context)
        self.chunk = max(1, model.max_step_tokens // sequences)

    def prompt(self, n: int, depth: int = 0) -> float:
        """Return the seconds to evaluate ``n`` tokens per sequence after ``depth`` cached ones."""
        self._fill(depth)
        tokens = self._random(n)
        start = time.perf_counter()
        self._evaluate(tokens, depth)
        return time.perf_counter() - start

    def decode(self, n: int, depth: int = 0) -> float:
        """Return the seconds for ``n`` steps of one token per sequence after ``depth`` tokens."""
        self._fill(depth)
        tokens = self._random(n)
        start = time.perf_counter()
        for i in range(n):
            self._step(tokens[i : i + 1], depth + i, LOGITS_LAST)
        return time.perf_counter() - start

    def _fill(self, depth: int) -> None:
        """Give every sequence ``depth`` cached tokens.

        The first of them are evaluated, the rest are copies of those: speed does not depend on
        what is cached, and a long context is there at once.
        """
        if depth <= self._filled:
            return
        first = min(depth, self.chunk // BLOCK_TOKENS * BLOCK_TOKENS or self.chunk)
        self._evaluate(self._random(first), 0)
        source = -(-first // BLOCK_TOKENS)
        for table in self._tables:
            for block in range(source, -(-depth // BLOCK_TOKENS)):
                self._model.copy_block(int(table[block % source]), int(table[block]))
        self._filled = depth

    def _evaluate(self, tokens: Tokens, start: int) -> None:
        for first in range(0, len(tokens), self.chunk):
            part = tokens[first : first + self.chunk]
            last = first + len(part) == len(tokens)
            self._step(part, start + first, LOGITS_LAST if last else LOGITS_NONE)

    def _step(self, tokens: Tokens, start: int, logits: int) -> None:
        self._model.step([Span(tokens, start, table, logits) for table in self._tables])

    def _random(self, n: int) -> Tokens:
        rng = np.random.default_rng(0)
        return rng.integers(0, self._model.n_valid, n).astype(np.int32)
