"""Durations as Go prints them, which is how Ollama reports timings."""

from __future__ import annotations


def go_duration(seconds: float) -> str:
    """Return ``seconds`` like ``1m2.5s``, ``12.345ms`` or ``0s``.

    Examples
    --------
    >>> go_duration(62.5), go_duration(0.0123), go_duration(0)
    ('1m2.5s', '12.3ms', '0s')
    """
    nanoseconds = round(max(seconds, 0.0) * 1e9)
    if nanoseconds == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if nanoseconds < size * 1000:
            return _number(nanoseconds, size) + unit
    minutes, rest = divmod(nanoseconds, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = _number(rest, 10**9) + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _number(nanoseconds: int, unit: int) -> str:
    whole, rest = divmod(nanoseconds, unit)
    digits = str(rest).zfill(len(str(unit)) - 1).rstrip("0") if unit > 1 else ""
    return f"{whole}.{digits}" if digits else str(whole)
