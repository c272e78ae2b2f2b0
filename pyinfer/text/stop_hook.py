"""Ends a running sequence at a stop string, on the engine's thread."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

from pyinfer.text.detokenizer import Detokenizer
from pyinfer.text.stop import StopMatcher
from pyinfer.text.tokenizer import Tokenizer


class StopHook:
    """A rule for the engine: stop after the token that completes a stop string.

    The reader of the tokens cuts the text with a :class:`~pyinfer.text.stop.StopMatcher` of its
    own; this rule only keeps the engine from going on.

    Parameters
    ----------
    tokenizer : Tokenizer
    stops : sequence of str
        As for :class:`~pyinfer.text.stop.StopMatcher`.
    ends : collection of int
        Tokens that are stops themselves.
    """

    masks = False

    def __init__(
        self, tokenizer: Tokenizer, stops: Sequence[str], ends: Collection[int] = ()
    ) -> None:
        self._detokenizer = Detokenizer(tokenizer)
        self._matcher = StopMatcher(stops)
        self._ends = frozenset(ends)

    def on_token(self, token: int) -> Literal["stop"] | None:
        """See one sampled token; ``"stop"`` ends the sequence after it."""
        for piece in self._detokenizer.pieces(token):
            self._matcher.push(piece)
        return "stop" if self._matcher.stopped or token in self._ends else None

    def mask(self, out: Any) -> bool:
        """Allow every token."""
        return False
