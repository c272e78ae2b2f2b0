"""Everything else: greetings, questions about the model, and all that it cannot answer."""

from __future__ import annotations

from random import Random

from .phrasing import dress
from .problem import Problem
from .requests_material import (
    ANSWERS,
    BYE,
    GREETINGS,
    IDENTITY,
    NEAR_MISSES,
    OTHER_LANGUAGES,
    REMARKS,
    REQUESTS,
    THANKS,
    TOPICS,
)
from .words import WORDS, pseudo_word

_THOUGHTS = {
    "greeting": "A greeting.\n",
    "identity": "A question about me.\n",
    "thanks": "A thank you.\n",
    "bye": "A goodbye.\n",
    "unable": "This is not one of my skills.\n",
}
_SCRIPTS = (
    (0x4E00, 0x9FA5), (0x3041, 0x30F6), (0x0410, 0x044F), (0x0391, 0x03C9), (0x0621, 0x064A),
    (0x0905, 0x0939), (0xAC00, 0xD7A3), (0x1F300, 0x1F64F), (0x00C0, 0x024F), (0x20, 0x7E),
    (0x20, 0x7E), (0x05D0, 0x05EA), (0x0E01, 0x0E2E), (0x2200, 0x22FF),
)  # fmt: skip


def _random_text(rng: Random, longest: int) -> str:
    low, high = rng.choice(_SCRIPTS)
    chars = []
    for _ in range(rng.randint(1, max(2, longest // 3))):
        chars.append(" " if rng.random() < 0.12 else chr(rng.randint(low, high)))
        if rng.random() < 0.02:
            low, high = rng.choice(_SCRIPTS)
    return "".join(chars).strip() or "?"


def _random_words(rng: Random, longest: int) -> str:
    words = []
    for _ in range(rng.randint(1, max(2, longest // 3))):
        roll = rng.random()
        if roll < 0.6:
            words.append(rng.choice(WORDS))
        elif roll < 0.93:
            words.append(pseudo_word(rng))
        else:
            words.append(str(rng.randint(0, 10 ** rng.randint(1, 6))))
        if rng.random() < 0.12:
            words[-1] += rng.choice(".,;:!?\n")
    text = " ".join(words)
    if rng.random() < 0.4:
        text = text.capitalize()
    return text + rng.choice(("", "", ".", "?", "!"))


def _topic(rng: Random) -> str:
    roll = rng.random()
    if roll < 0.6:
        return rng.choice(TOPICS)
    return rng.choice(WORDS) if roll < 0.8 else pseudo_word(rng)


def _unable(rng: Random, longest: int) -> str:
    roll = rng.random()
    if roll < 0.42:
        text = rng.choice(REQUESTS)
        while "{}" in text:
            text = text.replace("{}", _topic(rng), 1)
        return dress(rng, text)
    if roll < 0.62:
        text = rng.choice(NEAR_MISSES).format(
            n=rng.randint(2, 999), m=rng.randint(2, 99), w=rng.choice(WORDS), t=_topic(rng),
            d=f"{rng.randint(0, 99)}.{rng.randint(0, 99)}",
        )  # fmt: skip
        return dress(rng, text)
    if roll < 0.72:
        return rng.choice(OTHER_LANGUAGES)
    if roll < 0.80:
        return dress(rng, rng.choice(REMARKS))
    if roll < 0.90:
        return _random_words(rng, longest)
    if roll < 0.96:
        return _random_text(rng, longest)
    parts = rng.randint(2, 4)
    return " ".join(rng.choice(REQUESTS).replace("{}", _topic(rng)) for _ in range(parts))


def smalltalk(rng: Random, *, think: bool = True, longest: int = 90) -> Problem:
    """Return a message outside the skills; ``longest`` bounds random texts, in about tokens."""
    roll = rng.random()
    if roll < 0.10:
        kind, question = "greeting", dress(rng, rng.choice(GREETINGS))
    elif roll < 0.20:
        kind, question = "identity", dress(rng, rng.choice(IDENTITY))
    elif roll < 0.23:
        kind, question = "thanks", dress(rng, rng.choice(THANKS))
    elif roll < 0.26:
        kind, question = "bye", dress(rng, rng.choice(BYE))
    else:
        kind, question = "unable", _unable(rng, longest)
    key = f"other {question.strip().lower()}"
    return Problem("anything else", question, _THOUGHTS[kind], ANSWERS[kind], key, think=think)
