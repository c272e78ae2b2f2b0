"""Counting letters in words: spell the word and keep a running count after every letter."""

from __future__ import annotations

from random import Random

from .arithmetic import NEEDS_THINKING
from .phrasing import dress
from .problem import Problem
from .words import WORDS, pseudo_word

_COUNT = (
    "How many {p} are in {w}?",
    "How many {p} are in {w}?",
    "How many {p} are in the word {w}?",
    "How many {p} are there in {w}?",
    "How many {p} does {w} have?",
    "How many {p} in {w}?",
    "Count the {p} in {w}.",
    "Count the letter {l} in {w}.",
    "How many times does {l} appear in {w}?",
    "How many times does the letter {l} appear in {w}?",
    "How many times is the letter {l} in the word {w}?",
    "How often does {l} occur in {w}?",
    "How many letters {l} are in {w}?",
    "How many letter {l} are in {w}?",
    "number of {p} in {w}",
)
_LENGTH = (
    "How many letters are in {w}?",
    "How many letters are in the word {w}?",
    "How many letters does {w} have?",
    "How many characters are in {w}?",
    "How long is the word {w}?",
    "Count the letters in {w}.",
)


def _word(rng: Random) -> str:
    roll = rng.random()
    if roll < 0.45:
        return rng.choice(WORDS)
    if roll < 0.85:
        return pseudo_word(rng)
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(2, 10)))


def _show(rng: Random, word: str) -> str:
    roll = rng.random()
    if roll < 0.10:
        word = word.capitalize()
    elif roll < 0.13:
        word = word.upper()
    roll = rng.random()
    if roll < 0.10:
        return f'"{word}"'
    return f"'{word}'" if roll < 0.16 else word


def spell(word: str, letter: str) -> str:
    """Write the word letter by letter with the count of ``letter`` so far (``s0 t0 r1``)."""
    count, parts = 0, []
    for char in word:
        count += char == letter
        parts.append(f"{char}{count}")
    return " ".join(parts)


def counting(rng: Random, *, think: bool = True) -> Problem:
    """Return the question how often a letter stands in a word."""
    word = _word(rng)
    letter = rng.choice(word) if rng.random() < 0.85 else rng.choice("abcdefghijklmnopqrstuvwxyz")
    shown = letter.upper() if rng.random() < 0.12 else letter
    roll = rng.random()
    plural = f"{shown}'s" if roll < 0.6 else f"{shown}s" if roll < 0.8 else f"{shown}"
    question = rng.choice(_COUNT).format(p=plural, l=shown, w=_show(rng, word))
    count = word.count(letter)
    times = "time" if count == 1 else "times"
    answer = f"The letter {letter} appears {count} {times} in {word}."
    if not think:
        answer = NEEDS_THINKING
    reasoning = f"Spelling {word}, counting {letter}: {spell(word, letter)}\n"
    question = dress(rng, question)
    return Problem("letters", question, reasoning, answer, f"count {word} {letter}", think=think)


def length(rng: Random, *, think: bool = True) -> Problem:
    """Return the question how many letters a word has."""
    word = _word(rng)
    question = dress(rng, rng.choice(_LENGTH).format(w=_show(rng, word)))
    steps = " ".join(f"{char}{index}" for index, char in enumerate(word, 1))
    answer = f"The word {word} has {len(word)} letters." if think else NEEDS_THINKING
    reasoning = f"Spelling {word}, counting letters: {steps}\n"
    return Problem("letters", question, reasoning, answer, f"length {word}", think=think)
