"""Durations as Ollama writes them: seconds as a number, or text such as ``5m`` and ``1h30m``."""

from __future__ import annotations

import math
import re

from pyinfer.errors import RequestError

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_MAX_CHARS = 64
#: Longer ones mean the same as for ever.
MAX_SECONDS = 100 * 365 * 86_400.0


def parse_duration(value: object, name: str = "keep_alive") -> float:
    """Seconds of a number (seconds) or a Go duration; negative means for ever.

    Raises
    ------
    RequestError
        Neither; ``param`` is ``name``.

    Examples
    --------
    >>> parse_duration("1h30m"), parse_duration(10), parse_duration("-1")
    (5400.0, 10.0, -1.0)
    """
    seconds = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except OverflowError:
            seconds = math.inf
    elif isinstance(value, str) and len(value) <= _MAX_CHARS:
        seconds = _text(value.strip())
    if math.isnan(seconds):
        shown = repr(value)[:60]
        error = RequestError(f'{name} must be seconds or a duration such as "5m", not {shown}')
        error.param = name
        raise error
    return max(-1.0, min(seconds, MAX_SECONDS))


def _text(text: str) -> float:
    try:
        return float(text) if re.fullmatch(r"[-+]?\d+(\.\d*)?", text) else _parts(text)
    except ValueError:
        return math.nan


def _parts(text: str) -> float:
    sign = -1.0 if text.startswith("-") else 1.0
    rest = text[1:] if text.startswith(("-", "+")) else text
    parts = _PART.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        return math.nan
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)
