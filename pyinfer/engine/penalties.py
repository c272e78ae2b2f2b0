"""Changes to the logits that depend on the request and on its latest tokens.

Repetition, presence and frequency penalties look at a window over prompt and answer; the logit bias
and bans of end tokens are fixed. Only the affected ids are touched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from pyinfer.engine.candidates import Edits, Floats, Ids
from pyinfer.engine.params import REPEAT_LAST_N, SamplingParams
from pyinfer.model.step import LogitsRow


class RecentTokens:
    """How often each token occurs among the latest ``window`` ones (-1: among all)."""

    __slots__ = ("_latest", "_window", "counts")

    def __init__(self, window: int) -> None:
        self.counts: dict[int, int] = {}
        self._window = window
        self._latest: deque[int] = deque()

    def push(self, token: int) -> None:
        """Add the newest token and let the oldest leave the window."""
        counts = self.counts
        counts[token] = counts.get(token, 0) + 1
        if self._window < 0:
            return
        self._latest.append(token)
        if len(self._latest) > self._window:
            oldest = self._latest.popleft()
            if counts[oldest] == 1:
                del counts[oldest]
            else:
                counts[oldest] -= 1

    def fill(self, tokens: Sequence[int] | npt.NDArray[np.int32]) -> None:
        """Start from these tokens."""
        if self._window >= 0:
            tokens = tokens[max(0, len(tokens) - self._window) :]
        for token in tokens:
            self.push(int(token))


class LogitEditor:
    """Builds the :class:`Edits` of each row for one request.

    Parameters
    ----------
    params : SamplingParams
        With no value None.
    banned : iterable of int
        Tokens that are never sampled.
    banned_early : iterable of int
        Tokens that are not sampled before ``params.min_tokens`` tokens.
    """

    def __init__(
        self, params: SamplingParams, banned: Iterable[int] = (), banned_early: Iterable[int] = ()
    ) -> None:
        self._repetition = params.repetition_penalty or 1.0
        self._presence = params.presence_penalty or 0.0
        self._frequency = params.frequency_penalty or 0.0
        active = self._repetition != 1.0 or self._presence != 0.0 or self._frequency != 0.0
        window = REPEAT_LAST_N if params.repeat_last_n is None else params.repeat_last_n
        if "penalties" not in params.samplers or window == 0:
            active = False
        self.recent = RecentTokens(window) if active else None
        self._min_tokens = params.min_tokens
        bias = dict(params.logit_bias or {})
        bias.update(dict.fromkeys(banned, -np.inf))
        self._bias = _sorted_arrays(bias)
        bias.update(dict.fromkeys(banned_early, -np.inf))
        self._early_bias = _sorted_arrays(bias)

    def edits(
        self, row: LogitsRow, generated: int, mask: npt.NDArray[np.uint32] | None = None
    ) -> Edits | None:
        """What changes in ``row`` when ``generated`` tokens are out; None for nothing."""
        ids, amounts = self._early_bias if generated < self._min_tokens else self._bias
        if self.recent is not None and self.recent.counts:
            return self._penalised(row, ids, amounts, mask)
        if not len(ids) and mask is None:
            return None
        return Edits(ids, (row.full[ids] + amounts).astype(np.float32), mask)

    def _penalised(
        self,
        row: LogitsRow,
        bias_ids: Ids,
        amounts: Floats,
        mask: npt.NDArray[np.uint32] | None,
    ) -> Edits:
        assert self.recent is not None
        counts = self.recent.counts
        seen = np.fromiter(counts.keys(), np.int64, len(counts))
        times = np.fromiter(counts.values(), np.float64, len(counts))
        order = np.argsort(seen)
        seen, times = seen[order], times[order]
        logits = row.full[seen].astype(np.float64)
        factor = self._repetition
        logits = np.where(logits > 0, logits / factor, logits * factor)
        logits -= times * self._frequency + self._presence
        if not len(bias_ids):
            return Edits(seen, logits.astype(np.float32), mask)
        ids = np.union1d(seen, bias_ids)
        values = row.full[ids].astype(np.float64)
        values[np.searchsorted(ids, seen)] = logits
        values[np.searchsorted(ids, bias_ids)] += amounts
        return Edits(ids, values.astype(np.float32), mask)


def _sorted_arrays(bias: dict[int, float]) -> tuple[Ids, Floats]:
    ids = sorted(bias)
    return np.array(ids, np.int64), np.array([bias[i] for i in ids], np.float64)
