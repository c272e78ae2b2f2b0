"""How well a model predicts a text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyinfer.errors import NumericError
from pyinfer.eval.windows import Window
from pyinfer.model.step import BLOCK_TOKENS, LOGITS_ALL, LOGITS_NONE, Span, StepModel

Logits = npt.NDArray[np.float32]


@dataclass(slots=True)
class Estimate:
    """Perplexity of the tokens scored so far.

    Attributes
    ----------
    count : int
        Scored tokens.
    total, squares : float
        Sums of the negative log-likelihoods in nats, and of their squares.
    """

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, nll: npt.NDArray[np.float64]) -> None:
        """Take in the negative log-likelihoods of some tokens."""
        self.count += len(nll)
        self.total += float(nll.sum())
        self.squares += float((nll * nll).sum())

    @property
    def mean(self) -> float:
        """Mean negative log-likelihood in nats."""
        return self.total / self.count

    @property
    def mean_error(self) -> float:
        """Standard error of :attr:`mean`; 0 for a single token."""
        if self.count < 2:
            return 0.0
        variance = self.squares / self.count - self.mean**2
        return math.sqrt(max(variance, 0.0) / (self.count - 1))

    @property
    def perplexity(self) -> float:
        """The exponential of :attr:`mean`."""
        return math.exp(self.mean)

    @property
    def error(self) -> float:
        """Standard error of :attr:`perplexity`."""
        return self.perplexity * self.mean_error


def window_logits(model: StepModel, window: Window) -> Iterator[Logits]:
    """Yield the logits of the scored positions, in order, float32 (n, V) with n up to 32.

    Raises
    ------
    NumericError
        NaN or infinity in the logits.
    """
    tokens = window.tokens
    blocks = np.arange(-(-len(tokens) // BLOCK_TOKENS), dtype=np.int32)
    for start in range(0, window.first, model.max_step_tokens):
        part = tokens[start : min(start + model.max_step_tokens, window.first)]
        model.step([Span(part, start, blocks, LOGITS_NONE)])
    # The last token's logits predict what lies beyond the window.
    last = len(tokens) - 1
    step = min(model.max_logit_rows, model.max_step_tokens)
    for start in range(window.first, last, step):
        part = tokens[start : min(start + step, last)]
        rows = model.step([Span(part, start, blocks, LOGITS_ALL)])
        for i, row in enumerate(rows):
            if not row.finite:
                raise NumericError(f"NaN or infinity in the logits of position {start + i}")
        yield np.stack([row.full for row in rows])


def log_softmax_parts(
    logits: Logits,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Return the maximum of each row, and the logarithm of the sum of exp(x - maximum).

    Parameters
    ----------
    logits : float32 (n, V)

    Returns
    -------
    maximum : float32 (n,)
    log_sum : float64 (n,)
    """
    maximum = logits.max(axis=1)
    total = np.exp(logits - maximum[:, None]).sum(axis=1, dtype=np.float64)
    return maximum, np.log(total)


def negative_log_likelihood(
    logits: Logits, targets: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Return -log p(target) of each row in nats, float64 (n,); all V ids count, padding too."""
    maximum, log_sum = log_softmax_parts(logits)
    chosen = logits[np.arange(len(targets)), targets]
    return log_sum - (chosen - maximum)


def score(
    model: StepModel,
    windows: Sequence[Window],
    report: Callable[[int, Estimate], None] | None = None,
    keep: Callable[[Logits], None] | None = None,
) -> Estimate:
    """Score all windows.

    Parameters
    ----------
    model : StepModel
        With room for the longest window.
    windows : sequence of Window
    report : callable, optional
        Called after each window with the number of windows done and the estimate.
    keep : callable, optional
        Called with the logits of every group of scored positions, in order.

    Raises
    ------
    NumericError
        NaN or infinity in the logits.
    """
    estimate = Estimate()
    for done, window in enumerate(windows, 1):
        position = 0
        for logits in window_logits(model, window):
            targets = window.targets[position : position + len(logits)]
            estimate.add(negative_log_likelihood(logits, targets))
            if keep is not None:
                keep(logits)
            position += len(logits)
        if report is not None:
            report(done, estimate)
    return estimate
