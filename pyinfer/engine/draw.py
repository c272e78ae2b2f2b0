"""Random numbers that depend only on (seed, choice, position): nothing to save, nothing to restore.

The generator is SplitMix64 with the counter made explicit, so a sequence that is preempted, resumed
or batched differently draws the same numbers.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15


def _mix(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def stream_key(seed: int, choice: int) -> int:
    """Key of the random stream of one answer: its seed and its index among several answers."""
    return _mix((_mix((seed + _STEP) & _MASK) + (choice + 1) * _STEP) & _MASK)


def uniform(key: int, position: int) -> float:
    """Double in [0, 1) with 53 random bits for ``position`` of the stream ``key``."""
    return (_mix((key + (position + 1) * _STEP) & _MASK) >> 11) * 2.0**-53
