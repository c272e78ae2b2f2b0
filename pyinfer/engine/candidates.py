"""The tokens of one row of logits in order, found only as far as somebody asks.

The order is (logit descending, id ascending). The model hands over the best few already sorted;
the rest is searched in the full row when the request needs it. Both ways lead to the same list, so
what is sampled never depends on how many candidates the model delivered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer.errors import EngineError
from pyinfer.model.step import LogitsRow

Ids = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]

# An update of the normaliser that removes more than this share of the mass would lose digits.
_LARGEST_REMOVED_SHARE = 0.9
_LARGEST_EXPONENT = 600.0

# When the candidates are used up, so many tokens are sorted next, and then all of them.
_FIRST_EXTENSION = 4096


@dataclass(slots=True)
class Edits:
    """Changes to the logits of one row.

    Attributes
    ----------
    ids : int64 (m,)
        Ascending, each once.
    values : float32 (m,)
        Their new logits; ``-inf`` bans the token.
    mask : uint32 (ceil(n_valid / 32),) or None
        Bit ``id % 32`` of word ``id // 32`` is set for allowed tokens; None allows all.
    """

    ids: Ids
    values: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint32] | None = None

    def allowed(self, ids: Ids) -> npt.NDArray[np.bool_]:
        """Whether the mask allows each of ``ids``."""
        if self.mask is None:
            return np.ones(len(ids), np.bool_)
        words = self.mask[ids >> 5]
        return np.asarray((words >> (ids & 31).astype(np.uint32)) % 2, np.bool_)


class TokenList:
    """Tokens in order, all of them known.

    Attributes
    ----------
    ids : int64 (k,), values : float64 (k,)
        The known prefix of the list.
    complete : bool
        Whether the prefix is the whole list.
    """

    __slots__ = ("complete", "ids", "values")

    def __init__(self, ids: Ids, values: Floats, *, complete: bool = True) -> None:
        self.ids = ids
        self.values = values
        self.complete = complete

    def extend(self, count: int) -> int:
        """Make at least ``count`` tokens known if there are as many; return how many are."""
        return len(self.ids)

    def log_sum_exp(self) -> float:
        """Natural log of the sum of exp(logit) over the whole list."""
        self.extend(1 << 62)
        top = float(self.values[0])
        return top + float(np.log(np.exp(self.values - top).sum()))

    def exp_sum(self, temperature: float) -> float:
        """Sum of exp((logit - best logit) / temperature) over the whole list."""
        self.extend(1 << 62)
        return float(np.exp((self.values - self.values[0]) / temperature).sum())


class RowTokens(TokenList):
    """The allowed tokens of one row, in order, known as far as asked."""

    __slots__ = ("_edited", "_edits", "_n_valid", "_row")

    def __init__(self, row: LogitsRow, n_valid: int, edits: Edits | None = None) -> None:
        self._row = row
        self._n_valid = n_valid
        self._edits = edits
        self._edited: npt.NDArray[np.float32] | None = None
        ids = row.ids
        complete = len(ids) >= n_valid
        if edits is None:
            super().__init__(ids, row.values.astype(np.float64), complete=complete)
        else:
            super().__init__(*_merge(row, edits, complete), complete=complete)
        if not len(self.ids) and not self.extend(1):
            raise EngineError("no token may follow: every token of the vocabulary is banned")

    def extend(self, count: int) -> int:
        """Make at least ``count`` tokens known if there are as many; return how many are."""
        known = len(self.ids)
        if known >= count or self.complete:
            return known
        logits = self._logits()
        total = self._n_valid
        if self._edits is not None:
            total = int(np.count_nonzero(logits > -np.inf))
        wanted = max(count, _FIRST_EXTENSION) if known < _FIRST_EXTENSION else total
        if 4 * wanted >= total:
            self.ids = _order(logits, np.arange(len(logits)))[:total]
            self.complete = True
        else:
            # Every token that ties with the last wanted one is taken along: a true prefix.
            border = np.partition(logits, len(logits) - wanted)[len(logits) - wanted]
            self.ids = _order(logits, np.flatnonzero(logits >= border))
            if len(self.ids) <= known:
                return self.extend(total)
        self.values = logits[self.ids].astype(np.float64)
        return len(self.ids)

    def log_sum_exp(self) -> float:
        """Natural log of the sum of exp(logit) over the allowed tokens."""
        edits = self._edits
        total = self._row.log_sum_exp
        if edits is None:
            return total
        if edits.mask is None:
            old = self._row.full[edits.ids].astype(np.float64)
            new = edits.values.astype(np.float64)
            removed = float(np.exp(old - total).sum())
            highest = float(new.max(initial=-np.inf)) - total
            if removed <= _LARGEST_REMOVED_SHARE and highest <= _LARGEST_EXPONENT:
                added = float(np.exp(new - total).sum())
                return total + float(np.log(1.0 - removed + added))
        return float(self.values[0]) + float(np.log(self.exp_sum(1.0)))

    def exp_sum(self, temperature: float) -> float:
        """Sum of exp((logit - best logit) / temperature) over the allowed tokens."""
        distance = self._logits().astype(np.float64)
        distance -= self.values[0]
        distance /= temperature
        return float(np.exp(distance, out=distance).sum())

    def _logits(self) -> npt.NDArray[np.float32]:
        """The whole row with the edits applied, banned tokens at -inf."""
        if self._edited is None:
            logits = self._row.full[: self._n_valid]
            edits = self._edits
            if edits is not None:
                logits = logits.copy()
                logits[edits.ids] = edits.values
                if edits.mask is not None:
                    bits = np.unpackbits(edits.mask.view(np.uint8), bitorder="little")
                    logits[bits[: self._n_valid] == 0] = -np.inf
            self._edited = logits
        return self._edited


def _merge(row: LogitsRow, edits: Edits, complete: bool) -> tuple[Ids, Floats]:
    """Known prefix of the edited list: the candidates with the edited tokens moved."""
    ids = row.ids.astype(np.int64)
    values = row.values
    last_value, last_id = values[-1], ids[-1]
    if len(edits.ids):
        place = np.minimum(np.searchsorted(edits.ids, ids), len(edits.ids) - 1)
        kept = edits.ids[place] != ids
        ids = np.concatenate((ids[kept], edits.ids))
        values = np.concatenate((values[kept], edits.values))
    usable = values > -np.inf
    if not complete:
        # What was not a candidate comes after the last one; nothing is known beyond it.
        usable &= (values > last_value) | ((values == last_value) & (ids <= last_id))
    if edits.mask is not None:
        usable &= edits.allowed(ids)
    ids, values = ids[usable], values[usable]
    order = np.lexsort((ids, -values))
    return ids[order], values[order].astype(np.float64)


def _order(logits: npt.NDArray[np.float32], ids: Ids) -> Ids:
    """``ids`` by (logit descending, id ascending).

    Sorting one 64-bit key, (logit, id), is several times faster than a stable argsort.
    """
    bits = (logits[ids] + np.float32(0)).view(np.uint32)  # adding zero makes -0 equal to 0
    falling = np.where(bits >> 31, bits, ~(bits | np.uint32(1 << 31)))
    keys = falling.astype(np.uint64) << np.uint64(32) | ids.astype(np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
