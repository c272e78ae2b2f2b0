"""Choosing the next token from one row of logits.

Stages run in the order of ``SamplingParams.samplers``: penalties and bias, top-k, typical-p, top-p,
min-p, temperature, then one draw. All of them walk the tokens from the best one down and stop as
soon as they know enough, so a peaked distribution costs a few exponentials. Weights are summed in
one fixed order (the first tokens with ``math.exp``, the next with ``numpy.exp``, and from
``SORTED_TOKENS`` on by ranges of the logit), which makes the choice independent of how many sorted
candidates the model delivers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer.engine.candidates import SORTED_TOKENS, RowTokens, TokenList, best_token
from pyinfer.engine.draw import stream_key, uniform
from pyinfer.engine.params import SamplingParams
from pyinfer.engine.penalties import LogitEditor
from pyinfer.errors import NumericError
from pyinfer.model.step import LogitsRow

# So many tokens are handled one by one in Python, which beats NumPy's call overhead; part of the
# definition of the sums, hence a constant.
_HEAD = 32
_CHUNK = 4096


class Survivors:
    """The tokens that are left after some stages: the first ``count`` of a sorted list.

    Attributes
    ----------
    tokens : TokenList
        In order; cut by ``count``.
    count : int or None
        None is all of them.
    temperature : float
        What logits are divided by.
    """

    __slots__ = ("count", "temperature", "tokens")

    def __init__(self, tokens: TokenList) -> None:
        self.tokens = tokens
        self.count: int | None = None
        self.temperature = 1.0

    def top_k(self, k: int) -> None:
        """Keep the best ``k``."""
        self.count = k if self.count is None else min(k, self.count)

    def top_p(self, p: float) -> None:
        """Keep the fewest best tokens whose share of the weight reaches ``p``."""
        self.count = self._reach(p * self._total(), inclusive=True) + 1

    def min_p(self, p: float) -> None:
        """Keep tokens at least ``p`` times as probable as the best one."""
        floor = math.log(p)
        known = len(self.tokens.ids)
        while True:
            kept = min(known, known if self.count is None else self.count)
            distance = (self.tokens.values[:kept] - self.tokens.values[0]) / self.temperature
            found = kept - int(np.searchsorted(distance[::-1], floor, side="left"))
            if found < known or self.tokens.complete or kept < known:
                self.count = max(1, found)
                return
            if known >= SORTED_TOKENS:
                found = self.tokens.count_from(floor, self.temperature)
                self.count = found if self.count is None else min(found, self.count)
                return
            known = self.tokens.extend(known + 1)

    def typical_p(self, p: float) -> None:
        """Keep the tokens whose surprise is nearest to its mean, until they outweigh ``p``."""
        kept = self.tokens.extend(1 << 62 if self.count is None else self.count)
        kept = kept if self.count is None else min(kept, self.count)
        values, ids = self.tokens.values[:kept], self.tokens.ids[:kept]
        distance = (values - values[0]) / self.temperature
        log_p = distance - math.log(float(np.exp(distance).sum()))
        share = np.exp(log_p)
        entropy = -float((share * log_p).sum())
        order = np.argsort(np.abs(-log_p - entropy), kind="stable")
        enough = int(np.searchsorted(np.cumsum(share[order]), p, side="right")) + 1
        chosen = np.sort(order[:enough])
        self.tokens = TokenList(ids[chosen], values[chosen])
        self.count = None

    def draw(self, u: float) -> int:
        """Token at the share ``u`` (within [0, 1)) of the remaining weight."""
        index = self._reach(u * self._total(), inclusive=False)
        ids = self.tokens.ids
        return int(ids[index]) if index < len(ids) else self.tokens.buckets().token(index)

    def _total(self) -> float:
        """Weight of the survivors, the best one weighing 1."""
        count = self.count
        tokens = self.tokens
        if count is None:
            if self.temperature == 1.0:
                return math.exp(tokens.log_sum_exp() - float(tokens.values[0]))
            return tokens.exp_sum(self.temperature)
        known = tokens.extend(min(count, SORTED_TOKENS))
        if known < count and not tokens.complete:
            return tokens.buckets().sum_first(count, self.temperature)
        count = min(count, known)
        head = tokens.values[: min(count, _HEAD)].tolist()
        top, heat = head[0], self.temperature
        total = 0.0
        for value in head:
            total += math.exp((value - top) / heat)
        if count > _HEAD:
            total = float(self._sums(_HEAD, count, total)[-1])
        return total

    def _sums(self, start: int, end: int, before: float) -> npt.NDArray[np.float64]:
        """Running sums of the weights of tokens ``start`` to ``end``, after ``before``."""
        values = self.tokens.values
        sums = np.empty(end - start + 1)
        sums[0] = before
        np.exp((values[start:end] - values[0]) / self.temperature, out=sums[1:])
        return np.cumsum(sums)[1:]

    def _reach(self, target: float, *, inclusive: bool) -> int:
        """Index of the first token whose running sum exceeds (or reaches) ``target``."""
        tokens, heat = self.tokens, self.temperature
        if not tokens.complete and len(tokens.ids) < _HEAD:
            tokens.extend(_HEAD)
        end = _HEAD if self.count is None else min(self.count, _HEAD)
        head = tokens.values[:end].tolist()
        top = head[0]
        total = 0.0
        for index, value in enumerate(head):
            total += math.exp((value - top) / heat)
            if total > target or (inclusive and total == target):
                return index
        side = "left" if inclusive else "right"
        start = len(head)
        while True:
            if start >= SORTED_TOKENS and not tokens.complete:
                return self._reach_far(target, inclusive=inclusive)
            known = tokens.extend(start + 1)
            end = known if self.count is None else min(known, self.count)
            end = min(end, start + _CHUNK)
            if start >= end:
                return self._last_weighty(start)
            sums = self._sums(start, end, total)
            index = int(np.searchsorted(sums, target, side=side))  # type: ignore[call-overload]
            if index < len(sums):
                return start + index
            total = float(sums[-1])
            start = end

    def _reach_far(self, target: float, *, inclusive: bool) -> int:
        """As :meth:`_reach`, behind the tokens that are sorted."""
        index = self.tokens.buckets().reach(target, self.temperature, inclusive=inclusive)
        if index is not None and (self.count is None or index < self.count):
            return index
        known = self.tokens.extend(1 << 62)
        return self._last_weighty(known if self.count is None else min(known, self.count))

    def _last_weighty(self, count: int) -> int:
        """Last token with a weight above zero: where rounding leaves the target out of reach."""
        distance = (self.tokens.values[:count] - self.tokens.values[0]) / self.temperature
        return int(np.flatnonzero(np.exp(distance))[-1])


class Sampler:
    """Chooses the tokens of one sequence.

    Parameters
    ----------
    params : SamplingParams
        With no value None (see ``SamplingParams.filled``).
    n_valid : int
        Ids from here on are padding and never chosen.
    choice : int
        Index of this answer among several to the same request.
    eos_ids : iterable of int
        The model's own end tokens.

    Raises
    ------
    RequestError
        A parameter names a token id of ``n_valid`` or more.
    """

    def __init__(
        self, params: SamplingParams, n_valid: int, *, choice: int = 0, eos_ids: Iterable[int] = ()
    ) -> None:
        params.check_vocabulary(n_valid)
        assert params.seed is not None
        eos_ids = tuple(i for i in eos_ids if i < n_valid)
        self._n_valid = n_valid
        self._key = stream_key(params.seed, choice)
        self._greedy = params.greedy
        self._stages = _stages(params)
        self._editor = LogitEditor(
            params,
            banned=eos_ids if params.ignore_eos else (),
            banned_early=(*eos_ids, *params.stop_token_ids),
        )
        self._generated = 0

    def start(self, prompt: Sequence[int] | npt.NDArray[np.int32]) -> None:
        """Tell the penalties the prompt."""
        if self._editor.recent is not None:
            self._editor.recent.fill(prompt)

    def accept(self, token: int) -> None:
        """Tell which token was appended (chosen or forced)."""
        self._generated += 1
        if self._editor.recent is not None:
            self._editor.recent.push(token)

    def choose(
        self, row: LogitsRow, position: int, mask: npt.NDArray[np.uint32] | None = None
    ) -> int:
        """Choose the token at ``position`` of the sequence.

        Parameters
        ----------
        row : LogitsRow
            Logits after the token at ``position - 1``.
        position : int
            Selects the random number.
        mask : uint32 (ceil(n_valid / 32),), optional
            Bits of the allowed tokens.

        Raises
        ------
        NumericError
            The logits hold a NaN or an infinity.
        EngineError
            No token is allowed.
        """
        if not row.finite:
            raise NumericError(
                f"the model computed a value that is not finite at position {position - 1}",
                hint="the weights may be damaged; compare the files with their checksums",
            )
        edits = self._editor.edits(row, self._generated, mask)
        if self._greedy:
            best = int(row.ids[0]) if edits is None else best_token(row, edits)
            if best is not None:
                return best
            return int(RowTokens(row, self._n_valid, edits).ids[0])
        left = Survivors(RowTokens(row, self._n_valid, edits))
        for stage, amount in self._stages:
            stage(left, amount)
        return left.draw(uniform(self._key, position))


def _set_temperature(left: Survivors, temperature: float) -> None:
    left.temperature = temperature


def _stages(params: SamplingParams) -> list[tuple[Callable[[Survivors, Any], None], float]]:
    """The stages that do something, in order, each with its amount."""
    top_k = params.top_k or 0
    top_p = 1.0 if params.top_p is None else params.top_p
    typical_p = 1.0 if params.typical_p is None else params.typical_p
    min_p = params.min_p or 0.0
    temperature = 1.0 if params.temperature is None else params.temperature
    table: dict[str, tuple[bool, Callable[[Survivors, Any], None], float]] = {
        "top_k": (top_k > 0, Survivors.top_k, top_k),
        "typical_p": (typical_p < 1.0, Survivors.typical_p, typical_p),
        "top_p": (top_p < 1.0, Survivors.top_p, top_p),
        "min_p": (min_p > 0.0, Survivors.min_p, min_p),
        "temperature": (temperature != 1.0, _set_temperature, temperature),
    }
    wanted = [table[name] for name in params.samplers if name in table]
    return [(stage, amount) for on, stage, amount in wanted if on]


def log_probabilities(
    row: LogitsRow, token: int, alternatives: int
) -> tuple[float, list[tuple[int, float]]]:
    """Natural log-probability of ``token`` and of the best ``alternatives`` tokens of ``row``.

    The distribution is the model's own, before penalties, bias, temperature and cuts.
    """
    total = row.log_sum_exp
    best = zip(row.ids[:alternatives].tolist(), row.values[:alternatives].tolist(), strict=True)
    return float(row.full[token]) - total, [(i, value - total) for i, value in best]
