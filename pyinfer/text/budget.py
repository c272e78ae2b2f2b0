"""Following an answer's reasoning on the engine's side, and ending it when it is long enough."""

from __future__ import annotations

from pyinfer.text.detokenizer import Decoded
from pyinfer.text.reasoning import ReasoningParser
from pyinfer.text.tags import CLOSE_TAG, Tag
from pyinfer.text.tokenizer import Tokenizer

# What a model of the R1 family writes itself when it has thought enough.
_BEFORE, _AFTER = "\n", "\n\n"
FORCED_END = f"{_BEFORE}{CLOSE_TAG}{_AFTER}"
# A character has at most four bytes, so it cannot stay incomplete for longer.
_PATIENCE = 3


class ReasoningWatch:
    """Knows whether an answer is still reasoning, and counts the tokens of it.

    Parameters
    ----------
    tokenizer : Tokenizer
    starts_inside : bool
        The prompt ended with the opening tag.
    budget : int or None
        After so many reasoning tokens (1 or more) the end is forced; None or a negative number is
        no limit. If the last one ends inside a character, up to three more pass. No reasoning at
        all is a matter of the prompt.
    """

    def __init__(self, tokenizer: Tokenizer, starts_inside: bool, budget: int | None) -> None:
        self._parser = ReasoningParser(starts_inside, tokenizer.tags)
        self._limit = budget if budget is not None and budget >= 0 else None
        self._forced_end, self._forced_text = _forced_end(tokenizer)
        self._used = 0
        #: The first text of the content, known when the reasoning has ended within a token.
        self.first_content = ""

    @property
    def inside(self) -> bool:
        """Whether the next token belongs to the reasoning."""
        return self._parser.in_reasoning

    def push(self, decoded: Decoded) -> list[int] | None:
        """See what one token adds; return the ids to force now, if any."""
        pieces, incomplete = decoded
        was_inside = self._parser.in_reasoning
        for piece in pieces:
            for kind, text in self._parser.push(piece):
                if kind == "content":
                    self.first_content += text
        if not (was_inside and self._parser.in_reasoning) or self._limit is None:
            return None
        self._used += 1
        over = self._used - self._limit
        if over < 0 or (over < _PATIENCE and incomplete):
            return None
        return self.close()

    def close(self) -> list[int]:
        """End the reasoning now; return the ids to force."""
        for piece in self._forced_text:
            self._parser.push(piece)
        return self._forced_end


def _forced_end(tokenizer: Tokenizer) -> tuple[list[int], list[str]]:
    """Tokens that end the reasoning, and their text; the tag is one token where there is one."""
    close_id = tokenizer.tags.get(CLOSE_TAG)
    if close_id is None:
        return tokenizer.encode(FORCED_END), [FORCED_END]
    tokens = [*tokenizer.encode(_BEFORE), close_id, *tokenizer.encode(_AFTER)]
    return tokens, [_BEFORE, Tag(CLOSE_TAG), _AFTER]
