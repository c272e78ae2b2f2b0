"""Seeded generator of the whole mixture, and the held-out questions.

Problem ``i`` of a seed depends on nothing but ``(seed, i)``, so any run, and any resumed run, sees
the same stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

from . import arithmetic, compare, geography, letters, smalltalk
from .problem import Problem, is_held_out
from .words import WORDS

Maker = Callable[..., Problem]

# Share of each kind of question; the hard ones (carries, borrows, long copies) weigh most.
MIXTURE: tuple[tuple[Maker, float], ...] = (
    (arithmetic.addition, 0.19),
    (arithmetic.subtraction, 0.20),
    (arithmetic.multiplication, 0.16),
    (arithmetic.too_long, 0.02),
    (compare.decimals, 0.11),
    (letters.counting, 0.13),
    (letters.length, 0.03),
    (geography.capital, 0.045),
    (geography.city, 0.03),
    (geography.unknown_place, 0.01),
    (smalltalk.smalltalk, 0.075),
)
# Extra questions of the last phase of training.
FOCUS: tuple[tuple[Maker, float], ...] = (
    (letters.counting, 0.55),
    (letters.length, 0.10),
    (compare.decimals, 0.15),
    (arithmetic.multiplication, 0.10),
    (geography.capital, 0.05),
    (geography.city, 0.05),
)
HELD_OUT_SEED = 20_000
TRAIN_SEED = 1

_SYSTEM = (
    "You are a helpful assistant.",
    "You are a helpful assistant. Answer briefly.",
    "Answer briefly.",
    "You are a math tutor.",
    "Be polite.",
    "You are pyinfer.",
    "Please reason step by step, and put your final answer within \\boxed{}.",
    "You answer in one sentence.",
    "Always answer in English.",
    "Today is Monday.",
    "You are an expert.",
    "The user is a beginner.",
)


def _system(rng: Random) -> str:
    if rng.random() < 0.7:
        return rng.choice(_SYSTEM)
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 12))).capitalize() + "."


def _one(rng: Random) -> Problem:
    makers, weights = zip(*MIXTURE, strict=True)
    maker: Maker = rng.choices(makers, weights)[0]
    think = rng.random() >= 0.07
    return maker(rng, think=think)


def problem(seed: int, index: int, *, held_out: bool = False) -> Problem:
    """Return problem ``index`` of the stream, from the training or the held-out side of the split.

    Parameters
    ----------
    seed : int
        Names the stream.
    index : int
        Position in the stream.
    held_out : bool
        Which side; earlier turns of a conversation always come from the training side.
    """
    rng = Random(f"{seed}:{index}")
    chosen = _one(rng)
    while is_held_out(chosen.key) != held_out:
        chosen = _one(rng)
    if not chosen.history and rng.random() < 0.08:
        earlier = []
        for _ in range(rng.choice((1, 1, 1, 2))):
            turn = _one(rng)
            while is_held_out(turn.key):
                turn = _one(rng)
            earlier.append((turn.question, turn.answer))
        chosen = replace(chosen, history=tuple(earlier))
    if rng.random() < 0.10:
        chosen = replace(chosen, system=_system(rng))
    return chosen


def stream(seed: int = TRAIN_SEED, start: int = 0) -> Iterator[Problem]:
    """Yield training problems for ever, from position ``start``."""
    index = start
    while True:
        yield problem(seed, index)
        index += 1


def long_problem(seed: int, index: int) -> Problem:
    """Return a training problem with a long prompt: long random text, or several earlier turns."""
    rng = Random(f"long {seed}:{index}")
    if rng.random() < 0.5:
        chosen = smalltalk.smalltalk(rng, longest=rng.choice((300, 600, 1000)))
        while is_held_out(chosen.key):
            chosen = smalltalk.smalltalk(rng, longest=rng.choice((300, 600, 1000)))
        return chosen
    earlier = [problem(seed, rng.randrange(1 << 40)) for _ in range(rng.randint(2, 10))]
    last = problem(seed, rng.randrange(1 << 40))
    return replace(last, history=tuple((turn.question, turn.answer) for turn in earlier))


def focused_problem(seed: int, index: int) -> Problem:
    """Return a training problem of the kinds that are learned last."""
    rng = Random(f"focus {seed}:{index}")
    makers, weights = zip(*FOCUS, strict=True)
    while True:
        maker: Maker = rng.choices(makers, weights)[0]
        chosen = maker(rng)
        if not is_held_out(chosen.key):
            return chosen


def held_out(n: int = 500, seed: int = HELD_OUT_SEED, *, think: bool = True) -> list[Problem]:
    """Return the first ``n`` held-out problems; their keys are never trained on.

    The evaluation of the card and of the engine use this one list. ``think`` chooses between the
    default mode, with reasoning, and prompts with an empty reasoning block.
    """
    found: list[Problem] = []
    index = 0
    while len(found) < n:
        candidate = problem(seed, index, held_out=True)
        if candidate.think == think:
            found.append(candidate)
        index += 1
    return found
