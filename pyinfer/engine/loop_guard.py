"""Notices when an answer goes round in circles, as small quantized models do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pyinfer.engine.hooks import HookAction, Hooks, TokenTexts

#: A block of so many tokens...
SHORTEST_BLOCK = 8
LONGEST_BLOCK = 1024
#: ...that came so often without a break is a loop.
REPEATS = 16

_PERIODS = np.arange(LONGEST_BLOCK, SHORTEST_BLOCK - 1, -1, dtype=np.int32)
_NEEDED = (REPEATS - 1) * _PERIODS


class LoopGuard:
    """Counts, for every length of a block, how long the tokens have repeated with that period.

    A token costs one comparison per period, of which there are about a thousand.
    """

    def __init__(self) -> None:
        # The latest tokens end at ``_end``; they move to the front when the room is used up.
        self._tokens = np.full(4 * LONGEST_BLOCK, -1, np.int32)
        self._end = LONGEST_BLOCK
        self._equal = np.zeros(len(_PERIODS), np.int32)

    def push(self, token: int) -> bool:
        """See one token; True if the answer is in a loop now."""
        end, tokens = self._end, self._tokens
        if end == len(tokens):
            tokens[:LONGEST_BLOCK] = tokens[end - LONGEST_BLOCK :]
            end = LONGEST_BLOCK
        # Tokens as many places back as ``_PERIODS`` says.
        earlier = tokens[end - LONGEST_BLOCK : end - SHORTEST_BLOCK + 1]
        self._equal += 1
        self._equal *= earlier == token
        tokens[end] = token
        self._end = end + 1
        return bool((self._equal >= _NEEDED).any())


class GuardedHooks:
    """The rules of a request and a guard beside them (see :mod:`pyinfer.engine.hooks`).

    Parameters
    ----------
    rules : Hooks, optional
        They come first: what they end is no loop.
    """

    def __init__(self, rules: Hooks | None = None) -> None:
        self._rules = rules
        self._guard = LoopGuard()

    @property
    def masks(self) -> bool:
        """Whether the rules allow only some tokens."""
        return self._rules is not None and self._rules.masks

    def on_token(self, token: int) -> HookAction:
        """See one sampled token and say what happens next."""
        action = None if self._rules is None else self._rules.on_token(token)
        looped = self._guard.push(token)
        return "loop" if looped and action is None else action

    def instead_of_end(self) -> Sequence[int] | None:
        """Ids to put in place of an end token, as the rules say."""
        return None if self._rules is None else self._rules.instead_of_end()

    def mask(self, out: npt.NDArray[np.uint32]) -> bool:
        """Write which tokens may come next, as the rules say."""
        return self._rules is not None and self._rules.mask(out)

    def take_texts(self) -> TokenTexts | None:
        """Give away what the rules have decoded."""
        return None if self._rules is None else self._rules.take_texts()
