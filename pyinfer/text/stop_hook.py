"""Ends a running sequence at a stop string, on the engine's thread."""

from __future__ import annotations

from collections.abc import Sequence
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
    """

    masks = False

    def __init__(self, tokenizer: Tokenizer, stops: Sequence[str]) -> None:
        self._detokenizer = Detokenizer(tokenizer)
        self._matcher = StopMatcher(stops)

    def on_token(self, token: int) -> Literal["stop"] | None:
        """See one sampled token; ``"stop"`` ends the sequence after it."""
        stopped = self._matcher.push(self._detokenizer.push(token))[1]
        return "stop" if stopped else None

    def mask(self, out: Any) -> bool:
        """Allow every token."""
        return False
