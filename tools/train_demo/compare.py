"""Comparing two decimals: pad both to the same length, then walk from the left."""

from __future__ import annotations

from random import Random

from .arithmetic import walk
from .phrasing import dress
from .problem import Problem

_LARGE = ("larger", "bigger", "greater", "higher")
_SMALL = ("smaller", "less", "lower")
_FRAMES = (
    "Which is {w}, {a} or {b}?",
    "Which is {w}, {a} or {b}?",
    "Which is {w}: {a} or {b}?",
    "Which number is {w}, {a} or {b}?",
    "What is {w}, {a} or {b}?",
    "Which one is {w}: {a} or {b}?",
    "Which of {a} and {b} is {w}?",
    "Is {a} or {b} {w}?",
    "{a} or {b}, which is {w}?",
    "Between {a} and {b}, which is {w}?",
    "Which is {w} {a} or {b}",
    "what's {w}, {a} or {b}?",
)
_PLAIN = ("Compare {a} and {b}.", "compare {a} with {b}", "{a} vs {b}", "{a} or {b}?")


def pad(a: str, b: str) -> tuple[str, str]:
    """Write two decimals with equally many digits before and after the point."""
    (a_int, _, a_frac), (b_int, _, b_frac) = a.partition("."), b.partition(".")
    whole, frac = max(len(a_int), len(b_int)), max(len(a_frac), len(b_frac))
    point = "." if frac else ""
    left = a_int.zfill(whole) + point + a_frac.ljust(frac, "0")
    return left, b_int.zfill(whole) + point + b_frac.ljust(frac, "0")


def _decimal(rng: Random) -> str:
    whole = rng.choice((rng.randint(0, 9), rng.randint(0, 9), rng.randint(10, 99),
                        rng.randint(100, 999)))  # fmt: skip
    places = rng.choice((0, 1, 1, 2, 2, 3))
    if not places:
        return str(whole)
    return f"{whole}." + "".join(rng.choice("0123456789") for _ in range(places))


def _pair(rng: Random) -> tuple[str, str]:
    a = _decimal(rng)
    roll = rng.random()
    if roll < 0.60:  # same whole part, so the digits after the point decide
        whole = a.partition(".")[0]
        if "." not in a:
            a = f"{whole}.{rng.randint(1, 9)}"
        places = rng.choice((1, 1, 2, 2, 3))
        b = f"{whole}." + "".join(rng.choice("0123456789") for _ in range(places))
    elif roll < 0.70:
        b = a + ("0" if "." in a else ".0")
    else:
        b = _decimal(rng)
    return (a, b) if rng.random() < 0.5 else (b, a)


def decimals(rng: Random, *, think: bool = True) -> Problem:
    """Return a comparison of two decimals with up to three places."""
    a, b = _pair(rng)
    left, right = pad(a, b)
    steps, order = walk(left, right)
    large, small = (a, b) if order > 0 else (b, a)
    if rng.random() < 0.1:
        word, frame = "larger", rng.choice(_PLAIN)
    else:
        word, frame = rng.choice(_LARGE if rng.random() < 0.65 else _SMALL), rng.choice(_FRAMES)
    question = dress(rng, frame.format(w=word, a=a, b=b))
    if order == 0:
        closing, answer = "They are equal.", f"{a} and {b} are equal."
    else:
        closing = f"{small} is smaller, {large} is larger."
        answer = f"{large} is larger than {small}."
        if word in _SMALL:
            answer = f"{small} is smaller than {large}."
    reasoning = f"{left} and {right}: {steps}\n{closing}\n"
    key = "compare " + " ".join(sorted((a, b)))
    return Problem("decimals", question, reasoning, answer, key, think=think)
