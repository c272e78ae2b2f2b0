"""Sampling parameters of one request: checked once, then trusted everywhere."""

from __future__ import annotations

import math
import operator
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import TypeVar

from pyinfer.config import GenerationDefaults
from pyinfer.errors import RequestError

MAX_STOP_STRINGS = 16
MAX_STOP_BYTES = 256
MAX_STOP_IDS = 1024
MAX_LOGIT_BIAS = 1024
MAX_LOGPROBS = 20
MAX_PENALTY = 2.0  # presence and frequency, either sign
MAX_REPETITION_PENALTY = 100.0
MAX_BIAS = 1e4
MAX_TOKEN_ID = (1 << 31) - 1
MAX_TOKENS = 1 << 31
REPEAT_LAST_N = 64  # tokens that the penalties look at unless told otherwise

# Below this, a temperature means greedy: the weights of all but the best token vanish anyway.
GREEDY_TEMPERATURE = 1e-5

_T = TypeVar("_T")

STAGES = ("penalties", "top_k", "typical_p", "top_p", "min_p", "temperature")


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParams:
    """How the tokens of an answer are chosen and when the answer ends.

    A value of None means the model's own default (its model file or ``generation_config.json``),
    else the neutral value. Every value is checked on construction.

    Parameters
    ----------
    temperature : float, optional
        0 (and anything below 1e-5) takes the best token; otherwise logits are divided by it.
    top_p : float, optional
        Keep the smallest set of best tokens whose probability reaches this, within [0, 1]; 1 is
        off.
    top_k : int, optional
        Keep the best ``top_k`` tokens; 0 or -1 is off.
    min_p : float, optional
        Drop tokens less probable than ``min_p`` times the best one; 0 is off.
    typical_p : float, optional
        Locally typical sampling, within (0, 1]; 1 is off.
    repetition_penalty : float, optional
        Positive logits of recent tokens are divided by it, negative ones multiplied; 1 is off.
    presence_penalty, frequency_penalty : float, optional
        Subtracted from the logit of a recent token, once and once per occurrence; within [-2, 2].
    repeat_last_n : int, optional
        How many of the latest tokens (prompt and answer) the three penalties look at; -1 is all.
        Neutral: 64.
    logit_bias : mapping of int to float
        Added to the logits of these token ids, at most 1,024 of them; ``-inf`` bans a token.
    seed : int, optional
        The same seed gives the same tokens. None or -1 draws one, which the result reports.
    max_tokens : int, optional
        Most tokens to generate; 0 only evaluates the prompt. -1 runs until the context is full, so
        does None unless the model's file has a limit.
    min_tokens : int
        End tokens are not sampled before this many tokens.
    stop : str or sequence of str
        The answer ends right before the first of these texts; at most 16 of 256 bytes. In a
        conversation they count from the first character behind the reasoning. Without any, those
        of the model's file.
    stop_token_ids : sequence of int
        Token ids that end the answer, besides the model's own.
    ignore_eos : bool
        Never sample the model's own end tokens.
    logprobs : int, optional
        Report the log-probability of each chosen token and this many alternatives (0 to 20), of
        the model's own distribution: before penalties, bias, temperature and cuts.
    samplers : sequence of str
        Order of the stages. A stage that is left out is not applied; ``penalties`` comes first.

    Raises
    ------
    RequestError
        A value has a wrong type or range; the message and ``param`` name it.

    Examples
    --------
    >>> SamplingParams(temperature=0, max_tokens=32).max_tokens
    32
    >>> SamplingParams(top_p=1.5)
    Traceback (most recent call last):
        ...
    pyinfer.errors.RequestError: top_p must be between 0 and 1, not 1.5
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_last_n: int | None = None
    logit_bias: Mapping[int, float] | None = None
    seed: int | None = None
    max_tokens: int | None = None
    min_tokens: int = 0
    stop: str | Sequence[str] = ()
    stop_token_ids: Sequence[int] = ()
    ignore_eos: bool = False
    logprobs: int | None = None
    samplers: Sequence[str] = STAGES

    def __post_init__(self) -> None:
        put = object.__setattr__
        for name, low, high in _REAL_RANGES:
            value = getattr(self, name)
            if value is not None:
                put(self, name, _real(name, value, low, high))
        if self.typical_p == 0.0:
            raise _bad("typical_p", "must be above 0", self.typical_p)
        if self.repetition_penalty == 0.0:
            raise _bad("repetition_penalty", "must be above 0", self.repetition_penalty)
        if self.max_tokens == -1 and not isinstance(self.max_tokens, bool):
            put(self, "max_tokens", MAX_TOKENS)
        for name, low_int, high_int in _INT_RANGES:
            value = getattr(self, name)
            if value is not None:
                put(self, name, _integer(name, value, low_int, high_int))
        if not isinstance(self.ignore_eos, bool):
            raise _bad("ignore_eos", "must be true or false", self.ignore_eos)
        put(self, "logit_bias", _bias(self.logit_bias))
        put(self, "stop", _stops(self.stop))
        put(self, "stop_token_ids", _ids("stop_token_ids", self.stop_token_ids))
        put(self, "samplers", _stages(self.samplers))

    @property
    def greedy(self) -> bool:
        """Whether the best token is always taken (a temperature of None counts as not greedy)."""
        return self.temperature is not None and self.temperature < GREEDY_TEMPERATURE

    def over(self, base: SamplingParams) -> SamplingParams:
        """These parameters, with the values of ``base`` where nothing was given."""
        missing = {
            name: getattr(base, name)
            for name in _LAYERED
            if getattr(self, name) is None or getattr(self, name) == ()
        }
        return replace(self, **missing)

    def filled(self, defaults: GenerationDefaults) -> SamplingParams:
        """Replace None by the model's default or the neutral value; draw a seed if none is set.

        Only ``max_tokens`` and ``logprobs`` may stay None.
        """
        seed = secrets.randbits(32) if self.seed is None or self.seed == -1 else self.seed
        return replace(
            self,
            temperature=_first(self.temperature, defaults.temperature),
            top_p=_first(self.top_p, defaults.top_p),
            top_k=_first(self.top_k, defaults.top_k),
            repetition_penalty=_first(self.repetition_penalty, defaults.repetition_penalty),
            min_p=_first(self.min_p, defaults.min_p),
            typical_p=_first(self.typical_p, defaults.typical_p),
            presence_penalty=_first(self.presence_penalty, 0.0),
            frequency_penalty=_first(self.frequency_penalty, 0.0),
            repeat_last_n=_first(_first(self.repeat_last_n, defaults.repeat_last_n), REPEAT_LAST_N),
            seed=seed,
        )

    def check_vocabulary(self, n_valid: int) -> None:
        """Refuse token ids that the model does not have.

        Raises
        ------
        RequestError
            An id of ``logit_bias`` or ``stop_token_ids`` is ``n_valid`` or more.
        """
        named: dict[str, Collection[int]] = {
            "logit_bias": self.logit_bias or (),
            "stop_token_ids": self.stop_token_ids,
        }
        for name, ids in named.items():
            for token in ids:
                if token >= n_valid:
                    raise _bad(name, f"must hold token ids below {n_valid}", token)


# What a model's file can set.
_LAYERED = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "repeat_last_n",
    "seed",
    "max_tokens",
    "stop",
)

_REAL_RANGES = (
    ("temperature", 0.0, math.inf),
    ("top_p", 0.0, 1.0),
    ("min_p", 0.0, 1.0),
    ("typical_p", 0.0, 1.0),
    ("repetition_penalty", 0.0, MAX_REPETITION_PENALTY),
    ("presence_penalty", -MAX_PENALTY, MAX_PENALTY),
    ("frequency_penalty", -MAX_PENALTY, MAX_PENALTY),
)

_INT_RANGES = (
    ("top_k", -1, MAX_TOKEN_ID),
    ("repeat_last_n", -1, MAX_TOKENS),
    ("seed", -(1 << 63), (1 << 64) - 1),
    ("max_tokens", 0, MAX_TOKENS),
    ("min_tokens", 0, MAX_TOKENS),
    ("logprobs", 0, MAX_LOGPROBS),
)


def _first(value: _T | None, default: _T) -> _T:
    return default if value is None else value


def _bad(name: str, what: str, value: object) -> RequestError:
    shown = repr(value)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    error = RequestError(f"{name} {what}, not {shown}")
    error.param = name
    return error


def _real(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _bad(name, "must be a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or not low <= number <= high:
        span = f"{low:g} or more" if high == math.inf else f"between {low:g} and {high:g}"
        raise _bad(name, f"must be {span}", value)
    return number


def _integer(name: str, value: object, low: int, high: int) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise _bad(name, "must be an integer", value) from None
    if not low <= number <= high:
        raise _bad(name, f"must be between {low} and {high}", value)
    return number


def _ids(name: str, value: object) -> tuple[int, ...]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise _bad(name, "must be a list of token ids", value)
    ids = tuple(_integer(name, item, 0, MAX_TOKEN_ID) for item in value)
    if len(ids) > MAX_STOP_IDS:
        raise _bad(name, f"may have at most {MAX_STOP_IDS} entries", len(ids))
    return ids


def _stops(value: object) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value
    if isinstance(texts, bytes | Mapping) or not isinstance(texts, Iterable):
        raise _bad("stop", "must be a string or a list of strings", value)
    texts = tuple(texts)
    if len(texts) > MAX_STOP_STRINGS:
        raise _bad("stop", f"may have at most {MAX_STOP_STRINGS} entries", len(texts))
    for text in texts:
        if not isinstance(text, str) or not text:
            raise _bad("stop", "must hold strings that are not empty", text)
        try:
            length = len(text.encode())
        except UnicodeEncodeError:
            raise _bad("stop", "must hold valid Unicode text", text) from None
        if length > MAX_STOP_BYTES:
            raise _bad("stop", f"entries may have at most {MAX_STOP_BYTES} bytes", length)
    return texts


def _bias(value: object) -> dict[int, float]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _bad("logit_bias", "must map token ids to numbers", value)
    if len(value) > MAX_LOGIT_BIAS:
        raise _bad("logit_bias", f"may have at most {MAX_LOGIT_BIAS} entries", len(value))
    bias = {}
    for token, amount in value.items():
        key = _integer("logit_bias", token, 0, MAX_TOKEN_ID)
        banned = isinstance(amount, float) and amount == -math.inf
        bias[key] = -math.inf if banned else _real("logit_bias", amount, -MAX_BIAS, MAX_BIAS)
    return bias


def _stages(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise _bad("samplers", "must be a list of stage names", value)
    stages = tuple(value)
    for stage in stages:
        if stage not in STAGES:
            raise _bad("samplers", f"may hold {', '.join(STAGES)}", stage)
    if len(set(stages)) != len(stages):
        raise _bad("samplers", "may name each stage once", stages)
    if "penalties" in stages[1:]:
        raise _bad("samplers", "must have penalties first", stages)
    return stages
