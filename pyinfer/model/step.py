"""What goes into one step of a model and what comes out: spans of tokens in, rows of logits out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pyinfer.config import ModelConfig

BLOCK_TOKENS = 64  # tokens per block of the key/value cache

LOGITS_NONE = 0
LOGITS_LAST = 1
LOGITS_ALL = 2


@dataclass(slots=True)
class Span:
    """Consecutive tokens of one sequence in one step.

    Attributes
    ----------
    tokens : int32 (n,)
        At least one token.
    start : int
        Position of ``tokens[0]``: how many tokens of the sequence are already cached.
    blocks : int32 (m,)
        Block table of the sequence, at least ``ceil((start + n) / 64)`` entries.
    logits : int
        Wanted rows: ``LOGITS_NONE``, ``LOGITS_LAST`` (last token) or ``LOGITS_ALL``.
    keep : int
        In the same terms: rows whose hidden state somebody reads although no logits are wanted. Of
        all other rows the last layer computes keys and values only.
    """

    tokens: npt.NDArray[np.int32]
    start: int
    blocks: npt.NDArray[np.int32]
    logits: int
    keep: int = LOGITS_NONE


class LogitsRow(Protocol):
    """One wanted row of logits; valid until the next step.

    Attributes
    ----------
    ids : int32 (k,)
        The best candidates by (logit descending, id ascending), ids below ``n_valid`` only.
    values : float32 (k,)
        Their logits.
    log_sum_exp : float
        Over all ids below ``n_valid``, at temperature 1.
    finite : bool
        False when a NaN or an infinity was seen; nothing else may be used then.
    full : float32 (V,)
        All logits; entries from ``n_valid`` on are padding.
    """

    @property
    def ids(self) -> npt.NDArray[np.int32]: ...
    @property
    def values(self) -> npt.NDArray[np.float32]: ...
    @property
    def log_sum_exp(self) -> float: ...
    @property
    def finite(self) -> bool: ...
    @property
    def full(self) -> npt.NDArray[np.float32]: ...


class CancelSignal(Protocol):
    """A flag that a running step polls; ``set`` is safe from any thread and signal handler."""

    def set(self) -> None: ...
    def clear(self) -> None: ...
    def is_set(self) -> bool: ...


class StepModel(Protocol):
    """What the engine needs of a model.

    A cancelled step raises :class:`~pyinfer.errors.CancelledError` and may simply be repeated. The
    rows do not depend on how tokens are grouped into spans and steps.
    """

    @property
    def config(self) -> ModelConfig: ...
    @property
    def n_valid(self) -> int: ...
    @property
    def n_blocks(self) -> int: ...
    @property
    def max_step_tokens(self) -> int: ...
    @property
    def max_logit_rows(self) -> int: ...
    def step(self, spans: Sequence[Span], cancel: Any = None) -> Sequence[LogitsRow]: ...
    def hidden(self, row: int) -> npt.NDArray[np.float32]: ...
    def copy_block(self, source: int, target: int) -> None: ...
    def close(self) -> None: ...
