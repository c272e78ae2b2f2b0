"""Rendering the continuations of texts, whole or as a stream of chunks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

from pyinfer.requests.answer import AnswerEvent, Chunk, Finished, PromptScores
from pyinfer.server.llama.timings import timings
from pyinfer.server.openai.completion_schema import CompletionBody
from pyinfer.server.openai.logprobs import Lists, TextLogprobs, joined
from pyinfer.server.openai.usage import fingerprint, new_id, total, usage
from pyinfer.serving.interleave import interleaved
from pyinfer.serving.running_answer import Answer

Json = dict[str, Any]
# Text of a choice, and the log-probabilities of its tokens if asked.
Part = tuple[str, Lists | None]


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
        scored = 0 if body.logprobs is None else self._n * len(answers)
        self._scorers = {index: TextLogprobs(self._tokenizer) for index in range(scored)}
        self._finished: dict[int, Finished] = {}

    def _prompt(self, answer: Answer) -> str:
        """The prompt as text, without the BOS that was put in front of it."""
        if answer.prompt_text:
            return answer.prompt_text
        return self._tokenizer.decode(answer.token_ids)

    def _echoed(self) -> dict[int, list[Part]]:
        """Parts that are there from the start: prompts without log-probabilities."""
        parts: dict[int, list[Part]] = {i: [] for i in range(self._n * len(self._answers))}
        if self._body.echo and not self._scorers:
            for index, found in parts.items():
                found.append((self._echo[index // self._n], None))
        return parts

    def _part(self, prompt: int, index: int, event: AnswerEvent) -> Part | None:
        """What an event adds to the text of a choice."""
        scorer = self._scorers.get(index)
        if isinstance(event, PromptScores) and scorer is not None:
            echo = self._echo[prompt]
            ids = self._answers[prompt].token_ids
            return echo, scorer.of_prompt(echo, ids, event.logprobs)
        if isinstance(event, Chunk):
            return event.text, None if scorer is None else scorer.of([event])
        return None

    async def whole(self) -> Json:
        """The complete object."""
        parts = self._echoed()
        async for prompt, event in interleaved(self._answers):
            index = prompt * self._n + getattr(event, "index", 0)
            if isinstance(event, Finished):
                self._finished[index] = event
            elif (part := self._part(prompt, index, event)) is not None:
                parts[index].append(part)
        return {
            **self._head,
            "choices": [
                self._whole_choice(index, end, parts[index])
                for index, end in sorted(self._finished.items())
            ],
            "usage": self._usage(),
            "timings": self._timings(),
        }

    def _whole_choice(self, index: int, end: Finished, parts: list[Part]) -> Json:
        text = "".join(text for text, _ in parts)
        logprobs = joined(lists for _, lists in parts if lists) if self._scorers else None
        return _choice(index, text, end.reason, logprobs)

    async def chunks(self, stack: AsyncExitStack) -> AsyncIterator[Json]:
        """Objects of the stream; ``stack``, which holds the answers, is closed with it."""
        parts = self._echoed()
        async with stack:
            for index, echoed in parts.items():
                for text, _ in echoed:
                    yield self._chunk(_choice(index, text, None, None))
            async for prompt, event in interleaved(self._answers):
                index = prompt * self._n + getattr(event, "index", 0)
                if (part := self._part(prompt, index, event)) is not None:
                    text, found = part
                    yield self._chunk(_choice(index, text, None, found))
                elif isinstance(event, Finished):
                    self._finished[index] = event
                    chunk = self._chunk(_choice(index, "", event.reason, None))
                    if len(self._finished) == len(parts) and not self._body.include_usage:
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
