"""How far a model's predictions are from those of a base model, token by token."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pyinfer.errors import ModelUnsupportedError
from pyinfer.eval.logits_file import LogitsReader
from pyinfer.eval.perplexity import (
    Estimate,
    Logits,
    log_softmax_parts,
    negative_log_likelihood,
    window_logits,
)
from pyinfer.eval.windows import Window
from pyinfer.model.step import StepModel

#: Shares of the tokens whose divergence is reported, in percent.
PERCENTILES = (99.9, 99.0, 95.0, 90.0, 50.0, 10.0, 5.0, 1.0)
# Ids that the base gives less than this (in nats) add nothing that float32 could hold.
_SMALLEST = -16.0

Values = npt.NDArray[np.float64]


@dataclass(slots=True)
class Divergence:
    """Comparison with the base, of the tokens scored so far.

    Attributes
    ----------
    model, base : Estimate
        Perplexities of both on the same tokens.
    kl : list of float64 arrays
        Kullback-Leibler divergence from the base per token, in nats.
    shift : list of float64 arrays
        Change of the probability of the right token.
    same_top : int
        Tokens at which both prefer the same id.
    """

    model: Estimate = field(default_factory=Estimate)
    base: Estimate = field(default_factory=Estimate)
    kl: list[Values] = field(default_factory=list)
    shift: list[Values] = field(default_factory=list)
    same_top: int = 0

    def add(self, logits: Logits, base: Logits, targets: npt.NDArray[np.int32]) -> None:
        """Take in some positions: logits of the model, log-probabilities of the base, (n, V)."""
        maximum, log_sum = log_softmax_parts(logits)
        own = logits - (maximum + log_sum.astype(np.float32))[:, None]
        weight = np.where(base > _SMALLEST, np.exp(base), np.float32(0))
        self.kl.append((weight * (base - own)).sum(axis=1, dtype=np.float64))
        self.same_top += int((logits.argmax(axis=1) == base.argmax(axis=1)).sum())
        nll = negative_log_likelihood(logits, targets)
        nll_base = -base[np.arange(len(targets)), targets].astype(np.float64)
        self.model.add(nll)
        self.base.add(nll_base)
        self.shift.append(np.exp(-nll) - np.exp(-nll_base))

    @property
    def count(self) -> int:
        """Scored tokens."""
        return self.model.count

    def mean_kl(self) -> tuple[float, float]:
        """Return the mean divergence in nats and its standard error."""
        return mean_and_error(np.concatenate(self.kl))

    def log_ratio(self) -> float:
        """Return the logarithm of the ratio of the two perplexities."""
        return self.model.mean - self.base.mean

    def top_agreement(self) -> tuple[float, float]:
        """Return the share of tokens with the same best id and its standard error."""
        share = self.same_top / self.count
        return share, math.sqrt(share * (1 - share) / max(self.count - 1, 1))

    def rms_shift(self) -> float:
        """Return the root mean square change of the probability of the right token."""
        return float(np.sqrt(np.mean(np.concatenate(self.shift) ** 2)))

    def percentiles(self) -> dict[str, float]:
        """Return name -> divergence in nats, the largest first."""
        values = np.concatenate(self.kl)
        found = {"max": float(values.max())}
        for share, value in zip(PERCENTILES, np.percentile(values, PERCENTILES), strict=True):
            found[f"{share:g}%"] = float(value)
        return found


def mean_and_error(values: Values) -> tuple[float, float]:
    """Return the mean of float64 (n,) and its standard error."""
    error = float(values.std()) / math.sqrt(max(len(values) - 1, 1))
    return float(values.mean()), error


def compare(
    model: StepModel,
    windows: Sequence[Window],
    base: LogitsReader,
    report: Callable[[int, Divergence], None] | None = None,
) -> Divergence:
    """Score all windows against saved logits.

    Parameters
    ----------
    model : StepModel
    windows : sequence of Window
        Those that were saved, or the first ones of them.
    base : LogitsReader
    report : callable, optional
        Called after each window with the number of windows done and the comparison.

    Raises
    ------
    ModelUnsupportedError
        The base has another vocabulary.
    NumericError
        NaN or infinity in the logits.
    """
    if base.shape.n_vocab != model.config.vocab_size:
        raise ModelUnsupportedError(
            f"the base has a vocabulary of {base.shape.n_vocab} ids, this model one of "
            f"{model.config.vocab_size}",
            hint="only models with the same vocabulary can be compared",
        )
    found = Divergence()
    for done, window in enumerate(windows, 1):
        position = 0
        for logits in window_logits(model, window):
            targets = window.targets[position : position + len(logits)]
            found.add(logits, base.next(len(logits)), targets)
            position += len(logits)
        if report is not None:
            report(done, found)
    return found
