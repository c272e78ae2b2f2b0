"""Packs problems into rows of fixed length, with the mask that keeps them apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from . import generate
from .problem import Problem
from .tokenizer import encode

IGNORE = -100


@dataclass(slots=True)
class Batch:
    """Packed rows.

    Attributes
    ----------
    tokens : torch.Tensor
        int64 (rows, length).
    labels : torch.Tensor
        int64 (rows, length), the next token where it belongs to a completion, else ``IGNORE``.
    positions : torch.Tensor
        int64 (rows, length), restarting at every problem.
    mask : torch.Tensor
        float32 (rows, 1, length, length), 0 where attention is allowed, else minus infinity.
    """

    tokens: torch.Tensor
    labels: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor


class Packer:
    """Takes problems from the training stream and fills rows first-fit.

    ``cursor`` is the next position of the stream; saved with a checkpoint, it resumes the run.
    ``focus`` n > 0 makes every n-th problem one of the kinds that are learned last.
    """

    def __init__(self, tokenizer: Tokenizer, seed: int, cursor: int = 0, *, focus: int = 0) -> None:
        self.tokenizer = tokenizer
        self.seed = seed
        self.cursor = cursor
        self.focus = focus

    def batch(self, rows: int, length: int, *, long: bool = False) -> Batch:
        """Return the next batch; ``long`` mixes in problems with long prompts."""
        packed: list[list[tuple[list[int], int]]] = [[] for _ in range(rows)]
        room = [length] * rows
        misses = 0
        while misses < 6:
            ids, prompt = encode(self.tokenizer, self._next(long))
            row = next((index for index in range(rows) if room[index] >= len(ids)), None)
            if row is None:
                misses += 1
                continue
            packed[row].append((ids, prompt))
            room[row] -= len(ids)
        return _tensors(packed, length)

    def _next(self, long: bool) -> Problem:
        self.cursor += 1
        if long and self.cursor % 3 == 0:
            return generate.long_problem(self.seed, self.cursor)
        if self.focus and self.cursor % self.focus == 1:
            return generate.focused_problem(self.seed, self.cursor)
        return generate.problem(self.seed, self.cursor)


def _tensors(packed: list[list[tuple[list[int], int]]], length: int) -> Batch:
    rows = len(packed)
    tokens = torch.zeros(rows, length, dtype=torch.long)
    labels = torch.full((rows, length), IGNORE, dtype=torch.long)
    positions = torch.zeros(rows, length, dtype=torch.long)
    document = torch.full((rows, length), -1, dtype=torch.long)
    for row, problems in enumerate(packed):
        at = 0
        for number, (ids, prompt) in enumerate(problems):
            size = len(ids)
            tokens[row, at : at + size] = torch.tensor(ids)
            labels[row, at + prompt - 1 : at + size - 1] = torch.tensor(ids[prompt:])
            positions[row, at : at + size] = torch.arange(size)
            document[row, at : at + size] = number
            at += size
    same = document[:, :, None] == document[:, None, :]
    allowed = same & torch.ones(length, length, dtype=torch.bool).tril()
    mask = torch.zeros(rows, 1, length, length).masked_fill_(~allowed[:, None], float("-inf"))
    return Batch(tokens, labels, positions, mask)
