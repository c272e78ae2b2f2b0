"""Log-probabilities in OpenAI's two layouts.

They are natural logarithms of the model's own distribution, before temperature and cuts. Tokens
that were not sampled but forced (the end of a reasoning over its budget) have none and are left
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pyinfer.engine.messages import TokenLogprobs
from pyinfer.requests.answer import Chunk
from pyinfer.text.detokenizer import Detokenizer
from pyinfer.text.tokenizer import Tokenizer


def sampled(piece: Chunk) -> Iterator[tuple[int, TokenLogprobs]]:
    """Tokens of a piece that have log-probabilities, with them."""
    for token, entry in zip(piece.token_ids, piece.logprobs or (), strict=False):
        if entry is not None:
            yield token, entry


def chat_logprobs(tokenizer: Tokenizer, piece: Chunk) -> list[dict[str, Any]]:
    """Objects with token, logprob, bytes and top_logprobs."""
    return [
        _object(tokenizer, token, chosen)
        | {"top_logprobs": [_object(tokenizer, other, value) for other, value in best]}
        for token, (chosen, best) in sampled(piece)
    ]


def _object(tokenizer: Tokenizer, token: int, logprob: float) -> dict[str, Any]:
    data = tokenizer.token_bytes(token)
    return {"token": data.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(data)}


Lists = dict[str, list[Any]]


def _lists() -> Lists:
    return {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}


def joined(parts: Iterable[Lists]) -> Lists:
    """The lists of consecutive parts of a text as one."""
    whole = _lists()
    for part in parts:
        for name, values in part.items():
            whole[name] += values
    return whole


class TextLogprobs:
    """The older layout: parallel lists, with the place of each token in the text.

    Parameters
    ----------
    tokenizer : Tokenizer
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._offset = 0

    def of_prompt(
        self, text: str, token_ids: Sequence[int], scores: Sequence[TokenLogprobs | None]
    ) -> Lists:
        """The lists for an echoed prompt, which is the beginning of the text.

        The first token has no log-probability. A BOS that was put in front of the text is the first
        token all the same, and takes up no room in the text.
        """
        lists = _lists()
        tokenizer = self._tokenizer
        detokenizer = Detokenizer(tokenizer, skip_special=False)
        first = self._text(token_ids[0])
        added = token_ids[0] == tokenizer.bos_id and not text.startswith(first)
        place = 0
        for number, (token, entry) in enumerate(zip(token_ids, scores, strict=True)):
            self._add(lists, token, entry, place)
            if number or not added:
                place += len(detokenizer.push(token))
        self._offset = len(text)
        return lists

    def of(self, pieces: Iterable[Chunk]) -> Lists:
        """The lists for some more pieces of the text."""
        lists = _lists()
        for piece in pieces:
            place = self._offset
            for token, entry in sampled(piece):
                self._add(lists, token, entry, place)
                place += len(self._text(token))
            self._offset += len(piece.text)
        return lists

    def _add(self, lists: Lists, token: int, entry: TokenLogprobs | None, place: int) -> None:
        chosen, best = (None, None) if entry is None else entry
        lists["tokens"].append(self._text(token))
        lists["token_logprobs"].append(chosen)
        lists["top_logprobs"].append(
            None if best is None else {self._text(other): value for other, value in best}
        )
        lists["text_offset"].append(place)

    def _text(self, token: int) -> str:
        return self._tokenizer.token_bytes(token).decode("utf-8", "replace")
