"""Rendering the continuations of texts, whole or as a stream of chunks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

from pyinfer.server.interleave import interleaved
from pyinfer.server.llama.timings import timings
from pyinfer.server.openai.completion_schema import CompletionBody
from pyinfer.server.openai.logprobs import TextLogprobs
from pyinfer.server.openai.usage import fingerprint, new_id, total, usage
from pyinfer.server.running_answer import Answer
from pyinfer.server.spec import Finished, Piece

Json = dict[str, Any]


class TextAnswer:
    """Answers of the service to the prompts of one request, in the form of the endpoint.

    Choice ``i`` of prompt ``p`` has the index ``p * n + i``.

    Parameters
    ----------
    body : CompletionBody
    answers : sequence of Answer
        One per prompt.
    """

    def __init__(self, body: CompletionBody, answers: Sequence[Answer]) -> None:
        self._body = body
        self._answers = answers
        self._n = body.n or 1
        model = answers[0].model
        self._tokenizer = model.tokenizer
        self._head = {
            "id": new_id("cmpl"),
            "object": "text_completion",
            "created": int(time.time()),
            "model": body.model or model.name,
            "system_fingerprint": fingerprint(model),
        }
        self._echo = [self._prompt(answer) if body.echo else "" for answer in answers]
        self._finished: dict[int, Finished] = {}

    def _prompt(self, answer: Answer) -> str:
        """The prompt as text, without the BOS that was put in front of it."""
        if answer.prompt_text:
            return answer.prompt_text
        return self._tokenizer.decode(answer.token_ids)

    async def whole(self) -> Json:
        """The complete object."""
        pieces: dict[int, list[Piece]] = {}
        async for prompt, event in interleaved(self._answers):
            index = prompt * self._n + getattr(event, "index", 0)
            if isinstance(event, Piece):
                pieces.setdefault(index, []).append(event)
            elif isinstance(event, Finished):
                self._finished[index] = event
        return {
            **self._head,
            "choices": [
                self._whole_choice(index, end, pieces.get(index, []))
                for index, end in sorted(self._finished.items())
            ],
            "usage": self._usage(),
            "timings": self._timings(),
        }

    def _whole_choice(self, index: int, end: Finished, pieces: list[Piece]) -> Json:
        echo = self._echo[index // self._n]
        logprobs = None
        if self._body.logprobs is not None:
            logprobs = TextLogprobs(self._tokenizer, len(echo)).of(pieces)
        text = echo + "".join(piece.text for piece in pieces)
        return _choice(index, text, end.reason, logprobs)

    async def chunks(self, stack: AsyncExitStack) -> AsyncIterator[Json]:
        """Objects of the stream; ``stack``, which holds the answers, is closed with it."""
        lists = {
            index: TextLogprobs(self._tokenizer, len(self._echo[index // self._n]))
            for index in range(self._n * len(self._answers))
        }
        async with stack:
            for index in lists if self._body.echo else ():
                yield self._chunk(_choice(index, self._echo[index // self._n], None, None))
            async for prompt, event in interleaved(self._answers):
                index = prompt * self._n + getattr(event, "index", 0)
                if isinstance(event, Piece):
                    wanted = self._body.logprobs is not None
                    found = lists[index].of([event]) if wanted else None
                    yield self._chunk(_choice(index, event.text, None, found))
                elif isinstance(event, Finished):
                    self._finished[index] = event
                    chunk = self._chunk(_choice(index, "", event.reason, None))
                    if len(self._finished) == len(lists) and not self._body.include_usage:
                        chunk["timings"] = self._timings()
                    yield chunk
            if self._body.include_usage:
                counts = {"usage": self._usage(), "timings": self._timings()}
                yield {**self._head, "choices": [], **counts}

    def _chunk(self, choice: Json) -> Json:
        chunk = {**self._head, "choices": [choice]}
        if self._body.include_usage:
            chunk["usage"] = None
        return chunk

    def _usage(self) -> Json:
        return total(
            usage(
                end.generation
                for index, end in self._finished.items()
                if index // self._n == prompt
            )
            for prompt in range(len(self._answers))
        )

    def _timings(self) -> Json:
        return timings(self._finished[min(self._finished)].generation)


def _choice(index: int, text: str, reason: str | None, logprobs: Json | None) -> Json:
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}
