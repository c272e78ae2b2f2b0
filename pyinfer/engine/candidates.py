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
SORTED_TOKENS = 4096

_BUCKETS = 8192


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

    def allows(self, token: int) -> bool:
        """Whether the mask allows one token."""
        return self.mask is None or bool(int(self.mask[token >> 5]) >> (token & 31) & 1)

    def allowed(self, ids: Ids) -> npt.NDArray[np.bool_]:
        """Whether the mask allows each of ``ids``."""
        if self.mask is None:
            return np.ones(len(ids), np.bool_)
        words = self.mask[ids >> 5]
        return np.asarray((words >> (ids & 31).astype(np.uint32)) % 2, np.bool_)


def best_token(row: LogitsRow, edits: Edits) -> int | None:
    """The first token of the list, found among the row's candidates and the changed tokens.

    What is in neither comes after the last candidate. None if every candidate is changed or
    banned: then the whole row decides. Plain Python, because between two steps that stream the
    weights every NumPy call pays for cold caches.
    """
    changed = dict(zip(edits.ids.tolist(), edits.values.tolist(), strict=True))
    best: tuple[float, int] | None = None
    for token, value in zip(row.ids.tolist(), row.values.tolist(), strict=True):
        if token not in changed and edits.allows(token):
            best = (-value, token)
            break
    if best is None:
        return None
    for token, value in changed.items():
        if -value <= best[0] and (-value, token) < best and edits.allows(token):
            best = (-value, token)
    return best[1]


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

    def count_from(self, floor: float, temperature: float) -> int:
        """How many tokens have (logit - best logit) / temperature of at least ``floor``."""
        return int(np.count_nonzero((self.values - self.values[0]) / temperature >= floor))

    def buckets(self) -> Buckets:
        """The whole list, cut into ranges of the logit."""
        raise TypeError("a list that is known needs no buckets")

    def exp_sum(self, temperature: float) -> float:
        """Sum of exp((logit - best logit) / temperature) over the whole list."""
        self.extend(1 << 62)
        return float(np.exp((self.values - self.values[0]) / temperature).sum())


class Buckets:
    """Tokens of a whole row in ranges of equal width of the logit, best range first.

    Of a flat distribution over a large vocabulary a cut like top-p keeps most tokens. Summing
    ranges and sorting only the one that holds the border costs a few passes over the row, where
    sorting the row costs many.

    Parameters
    ----------
    logits : float32 (n,)
        ``-inf`` for tokens that do not count.
    top : float
        The largest of them.
    """

    __slots__ = ("_distance", "_ends", "_firsts", "_logits", "_members", "_of", "count")

    def __init__(self, logits: npt.NDArray[np.float32], top: float) -> None:
        allowed = logits > -np.inf
        self._members = None if allowed.all() else np.flatnonzero(allowed)
        self._logits = logits if self._members is None else logits[self._members]
        self._distance = self._logits - np.float64(top)
        # Scaling and truncating keep the order, so a range never holds a token that belongs behind
        # one of the next range.
        scale = (_BUCKETS - 1) / min(float(self._distance.min()), -1e-30)
        self._of = (self._distance * scale).astype(np.int32)
        counts = np.bincount(self._of, minlength=_BUCKETS)
        self._firsts = np.concatenate(([0], np.cumsum(counts)))
        self._ends: dict[float, Floats] = {}
        self.count = len(self._logits)

    def sum_first(self, count: int, temperature: float) -> float:
        """Weight of the ``count`` best tokens, the best one weighing 1."""
        ends = self._ends_of(temperature)
        if count >= self.count:
            return float(ends[-1])
        bucket = int(np.searchsorted(self._firsts, count, side="right")) - 1
        inside = count - int(self._firsts[bucket])
        before = float(ends[bucket - 1]) if bucket else 0.0
        if not inside:
            return before
        return float(self._inside(bucket, temperature, before)[inside - 1])

    def reach(self, target: float, temperature: float, *, inclusive: bool) -> int | None:
        """Index of the first token, in order, whose running sum exceeds (or reaches) ``target``."""
        ends = self._ends_of(temperature)
        side = "left" if inclusive else "right"
        bucket = int(np.searchsorted(ends, target, side=side))  # type: ignore[call-overload]
        while bucket < _BUCKETS:
            before = float(ends[bucket - 1]) if bucket else 0.0
            sums = self._inside(bucket, temperature, before)
            index = int(np.searchsorted(sums, target, side=side))  # type: ignore[call-overload]
            if index < len(sums):
                return int(self._firsts[bucket]) + index
            bucket += 1  # the sum in order may round to just below the sum of the range
        return None

    def token(self, index: int) -> int:
        """Token at ``index`` of the order."""
        bucket = int(np.searchsorted(self._firsts, index, side="right")) - 1
        return int(self._order(bucket)[0][index - int(self._firsts[bucket])])

    def _ends_of(self, temperature: float) -> Floats:
        """Running sums of the weights at the ends of the ranges."""
        if temperature not in self._ends:
            weights = self._distance / temperature
            np.exp(weights, out=weights)
            self._ends[temperature] = np.cumsum(np.bincount(self._of, weights, _BUCKETS))
        return self._ends[temperature]

    def _order(self, bucket: int) -> tuple[Ids, Floats]:
        """Tokens of a range in order, and their distances from the best logit."""
        members = np.flatnonzero(self._of == bucket)
        members = members[_order(self._logits[members], np.arange(len(members)))]
        ids = members if self._members is None else self._members[members]
        return ids, self._distance[members]

    def _inside(self, bucket: int, temperature: float, before: float) -> Floats:
        """Running sums within a range, after ``before``."""
        weights = np.exp(self._order(bucket)[1] / temperature)
        return np.cumsum(np.concatenate(([before], weights)))[1:]


class RowTokens(TokenList):
    """The allowed tokens of one row, in order, known as far as asked."""

    __slots__ = ("_buckets", "_edited", "_edits", "_n_valid", "_row")

    def __init__(self, row: LogitsRow, n_valid: int, edits: Edits | None = None) -> None:
        self._row = row
        self._n_valid = n_valid
        self._edits = edits
        self._edited: npt.NDArray[np.float32] | None = None
        self._buckets: Buckets | None = None
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
        wanted = max(count, SORTED_TOKENS) if known < SORTED_TOKENS else total
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

    def count_from(self, floor: float, temperature: float) -> int:
        """How many allowed tokens have (logit - best logit) / temperature of at least ``floor``."""
        distance = self._logits().astype(np.float64)
        distance -= self.values[0]
        distance /= temperature
        return int(np.count_nonzero(distance >= floor))

    def buckets(self) -> Buckets:
        """All allowed tokens, cut into ranges of the logit."""
        if self._buckets is None:
            self._buckets = Buckets(self._logits(), float(self.values[0]))
        return self._buckets

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
