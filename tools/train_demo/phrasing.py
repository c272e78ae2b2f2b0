"""Turns a bare question into one of many ways a person would type it."""

from __future__ import annotations

from random import Random

_OPENERS = (
    "please",
    "Hi,",
    "hey,",
    "Hello,",
    "Can you tell me",
    "Tell me,",
    "Quick question:",
    "I want to know:",
    "Please tell me:",
    "ok,",
    "So,",
    "And",
    "and",
)
_CLOSERS = ("please", "please.", "thanks", "Thank you!", "Think step by step.", "Explain.")


def lower_first(text: str) -> str:
    """Return the text with its first character in lower case."""
    return text[:1].lower() + text[1:]


def dress(rng: Random, text: str, *, lower: bool = True) -> str:
    """Vary case, end mark, opener and closer of a question.

    Parameters
    ----------
    rng : random.Random
        Source of every choice.
    text : str
        A well-formed question or request.
    lower : bool
        Whether the whole text may be put in lower case.
    """
    roll = rng.random()
    if lower and roll < 0.18:
        text = text.lower()
    elif roll < 0.30:
        text = lower_first(text)
    elif lower and roll < 0.32:
        text = text.upper()
    roll = rng.random()
    if roll < 0.16:
        text = text.rstrip("?.!")
    elif roll < 0.20 and text.endswith("?"):
        text = text[:-1] + " ?"
    roll = rng.random()
    if roll < 0.10:
        text = f"{rng.choice(_OPENERS)} {lower_first(text)}"
    elif roll < 0.15:
        text = f"{text} {rng.choice(_CLOSERS)}"
    if rng.random() < 0.03:
        text = rng.choice((" " + text, text + " ", text + "\n"))
    return text
