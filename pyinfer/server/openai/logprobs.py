"""Log-probabilities in OpenAI's two layouts.

They are natural logarithms of the model's own distribution, before temperature and cuts. Tokens
that were not sampled but forced (the end of a reasoning over its budget) have none and are left
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pyinfer.engine.messages import TokenLogprobs
from pyinfer.server.spec import Piece
from pyinfer.text.tokenizer import Tokenizer


def sampled(piece: Piece) -> Iterator[tuple[int, TokenLogprobs]]:
    """Tokens of a piece that have log-probabilities, with them."""
    for token, entry in zip(piece.token_ids, piece.logprobs or (), strict=False):
        if entry is not None:
            yield token, entry


def chat_logprobs(tokenizer: Tokenizer, piece: Piece) -> list[dict[str, Any]]:
    """Objects with token, logprob, bytes and top_logprobs."""
    return [
        _object(tokenizer, token, chosen)
        | {"top_logprobs": [_object(tokenizer, other, value) for other, value in best]}
        for token, (chosen, best) in sampled(piece)
    ]


def _object(tokenizer: Tokenizer, token: int, logprob: float) -> dict[str, Any]:
    data = tokenizer.token_bytes(token)
    return {"token": data.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(data)}


class TextLogprobs:
    """The older layout: parallel lists, with the place of each token in the text.

    Parameters
    ----------
    tokenizer : Tokenizer
    offset : int
        Characters before the first token.
    """

    def __init__(self, tokenizer: Tokenizer, offset: int = 0) -> None:
        self._tokenizer = tokenizer
        self._offset = offset

    def of(self, pieces: Iterable[Piece]) -> dict[str, Any]:
        """The lists for some more pieces of the text."""
        tokens, logprobs, alternatives, offsets = [], [], [], []
        for piece in pieces:
            place = self._offset
            for token, (chosen, best) in sampled(piece):
                text = self._text(token)
                tokens.append(text)
                logprobs.append(chosen)
                alternatives.append({self._text(other): value for other, value in best})
                offsets.append(place)
                place += len(text)
            self._offset += len(piece.text)
        return {
            "tokens": tokens,
            "token_logprobs": logprobs,
            "top_logprobs": alternatives,
            "text_offset": offsets,
        }

    def _text(self, token: int) -> str:
        return self._tokenizer.token_bytes(token).decode("utf-8", "replace")
