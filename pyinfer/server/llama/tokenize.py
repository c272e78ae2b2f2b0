"""``/tokenize``: token ids of any text that a body can hold, sent as they are found."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from pyinfer.server.llama.schemas import PromptText, TokenizeBody
from pyinfer.serving.text_threads import TextThreads
from pyinfer.text.tokenizer import Tokenizer


def check_words(tokenizer: Tokenizer, content: PromptText) -> None:
    """Refuse a text that could not be tokenized in bounded memory; see :meth:`check_words`."""
    for part in [content] if isinstance(content, str) else content:
        if isinstance(part, str):
            tokenizer.check_words(part)


async def answer_pieces(
    threads: TextThreads, tokenizer: Tokenizer, body: TokenizeBody
) -> AsyncIterator[bytes]:
    """The answer as JSON, piece by piece: it may be a hundred times as large as the text."""
    ids = _ids(tokenizer, body)
    yield b'{"tokens":['
    between = ""
    while (found := await threads.run(body.content, next, ids, None)) is not None:
        tokens: list[Any] = found
        if body.with_pieces:
            tokens = [{"id": token, "piece": _piece(tokenizer, token)} for token in found]
        if tokens:
            yield (between + json.dumps(tokens, separators=(",", ":"))[1:-1]).encode()
            between = ","
    yield b"]}"


def _ids(tokenizer: Tokenizer, body: TokenizeBody) -> Iterator[list[int]]:
    """Token ids of a text or of a mixture; BOS comes only before a text at the beginning."""
    content = body.content
    for number, part in enumerate([content] if isinstance(content, str) else content):
        if isinstance(part, str):
            special = body.add_special and number == 0
            yield from tokenizer.encode_pieces(part, special, body.parse_special)
        else:
            yield [part]


def _piece(tokenizer: Tokenizer, token: int) -> str | list[int]:
    data = tokenizer.token_bytes(token)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return list(data)
