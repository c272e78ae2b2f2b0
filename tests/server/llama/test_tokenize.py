"""``/tokenize`` on long texts: the same tokens, sent piece by piece."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from pyinfer.errors import RequestError
from pyinfer.loading import DEMO_FOLDER
from pyinfer.server.llama.schemas import TokenizeBody
from pyinfer.server.llama.tokenize import answer_pieces, check_words
from pyinfer.serving.text_threads import TextThreads
from pyinfer.text.tokenizer import MAX_WORD_BYTES, Tokenizer

TEXT = "The quick brown fox, 12 of them.\n" * 5_000


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_folder(DEMO_FOLDER)


def parts(tokenizer: Tokenizer, **body: Any) -> list[bytes]:
    async def work() -> list[bytes]:
        threads = TextThreads()
        found = answer_pieces(threads, tokenizer, TokenizeBody(**body))
        try:
            return [part async for part in found]
        finally:
            threads.close()

    return asyncio.run(work())


@pytest.mark.parametrize("content", ["", "hi", TEXT, ["12", 7, TEXT], [5]])
@pytest.mark.parametrize("special", [False, True])
def test_the_tokens_are_those_of_the_whole(
    tokenizer: Tokenizer, content: Any, special: bool
) -> None:
    expected: list[int] = []
    for number, part in enumerate([content] if isinstance(content, str) else content):
        if isinstance(part, int):
            expected.append(part)
        else:
            expected += tokenizer.encode(part, special and not number)
    answer = b"".join(parts(tokenizer, content=content, add_special=special))
    assert json.loads(answer) == {"tokens": expected}


def test_long_answers_come_in_pieces(tokenizer: Tokenizer) -> None:
    found = parts(tokenizer, content=TEXT, with_pieces=True)
    tokens = json.loads(b"".join(found))["tokens"]
    assert "".join(token["piece"] for token in tokens) == TEXT
    assert len(found) > 5
    assert max(map(len, found)) < len(b"".join(found)) / 3


def test_a_word_that_takes_too_much_is_refused_first(tokenizer: Tokenizer) -> None:
    check_words(tokenizer, ["a" * MAX_WORD_BYTES, 7, "a b " * MAX_WORD_BYTES])
    with pytest.raises(RequestError, match="one word"):
        check_words(tokenizer, [7, "a" * (MAX_WORD_BYTES + 1)])
