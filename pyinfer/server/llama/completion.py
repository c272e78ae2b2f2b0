"""``/completion``: from a request to answers, and from answers to llama-server's objects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from pyinfer.engine.messages import TokenLogprobs
from pyinfer.requests.answer import Chunk, Finished, Progress
from pyinfer.requests.spec import MAX_SECONDS, GenerateSpec, ServedModel, bad_value
from pyinfer.server.http.streaming import sse, unless_disconnected
from pyinfer.server.llama.prompts import prompt_ids, split_prompts
from pyinfer.server.llama.sampling import (
    FALLBACK,
    generation_settings,
    grammar_of,
    sampling_params,
)
from pyinfer.server.llama.schemas import CompletionBody, PromptText, SamplingBody
from pyinfer.server.llama.timings import RunningTimings, timings
from pyinfer.serving.interleave import interleaved
from pyinfer.serving.running_answer import Answer
from pyinfer.serving.service import Service
from pyinfer.text.tokenizer import Tokenizer

#: Cause of the end -> ``stop_type``.
_STOP_TYPES = {"eos": "eos", "token": "eos", "limit": "limit", "context": "limit"}


async def complete(request: Request, body: CompletionBody) -> Response:
    """Answer ``POST /completion``."""
    service: Service = request.app.state.service
    prompts = split_prompts(body.prompt, "prompt")
    model = await unless_disconnected(request, service.served(body.model))

    def specs() -> list[GenerateSpec]:
        return [_spec(request, body, model, prompt) for prompt in prompts]

    several = len(prompts) > 1 or body.n_cmpl > 1
    return await answer(request, body, await service.threads.run(prompts, specs), several)


async def answer(
    request: Request, body: SamplingBody, specs: list[GenerateSpec], several: bool
) -> Response:
    """Generate for each spec and render; ``several`` gives a list of objects."""
    service: Service = request.app.state.service
    stack = AsyncExitStack()
    try:
        answers = await unless_disconnected(request, _begin(service, specs, stack))
        runs = [_Run(body, answer, number * body.n_cmpl) for number, answer in enumerate(answers)]
        if body.stream:
            response = sse(_chunks(stack.pop_all(), runs), done=False)
        else:
            results = await unless_disconnected(request, _results(runs))
            response = JSONResponse(results if several else results[0])
    finally:
        await stack.aclose()
    return response


def _spec(
    request: Request, body: CompletionBody, model: ServedModel, prompt: PromptText
) -> GenerateSpec:
    if isinstance(prompt, str):
        return make_spec(request, body, model, prompt)
    ids = prompt_ids(model.tokenizer, prompt, add_special=True, limit=model.context)
    if not ids:
        raise bad_value("prompt", "the prompt has no tokens")
    return make_spec(request, body, model, ids)


def make_spec(
    request: Request, body: SamplingBody, model: ServedModel, prompt: str | list[int]
) -> GenerateSpec:
    """What the service is asked for one prompt."""
    seconds = None
    if body.t_max_predict_ms is not None and body.t_max_predict_ms > 0:
        if body.t_max_predict_ms > MAX_SECONDS * 1000:
            raise bad_value("t_max_predict_ms", "t_max_predict_ms is longer than anybody waits")
        seconds = body.t_max_predict_ms / 1e3
    return GenerateSpec(
        model=body.model,
        prompt=prompt,
        params=sampling_params(body, model.tokenizer),
        fallback=FALLBACK,
        n=body.n_cmpl,
        reuse_prefix=body.cache_prompt,
        grammar=grammar_of(body),
        split_reasoning=False,
        progress=body.return_progress or body.timings_per_token,
        stream=body.stream,
        deadline_seconds=seconds,
        request_id=request.state.request_id,
    )


async def _begin(
    service: Service, specs: list[GenerateSpec], stack: AsyncExitStack
) -> list[Answer]:
    """Admit all of them or none."""
    answers = []
    for spec in specs:
        answers.append(await stack.enter_async_context(await service.generate(spec)))
    return answers


async def _results(runs: list[_Run]) -> list[dict[str, Any]]:
    finished = await _together([run.answer.finish() for run in runs])
    return [run.last(end) for run, ends in zip(runs, finished, strict=True) for end in ends]


async def _together(work: list[Awaitable[list[Finished]]]) -> list[list[Finished]]:
    """All results; the first failure ends the others."""
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


async def _chunks(stack: AsyncExitStack, runs: list[_Run]) -> AsyncIterator[dict[str, Any]]:
    """The events of all answers as they come."""
    async with stack:
        async for _, chunk in interleaved([run.chunks() for run in runs]):
            yield chunk


@dataclass(slots=True)
class _Run:
    """One answer on its way to the client.

    Attributes
    ----------
    offset : int
        Index of its first choice among those of the request.
    """

    body: SamplingBody
    answer: Answer
    offset: int
    timings: RunningTimings = field(init=False)

    def __post_init__(self) -> None:
        self.timings = RunningTimings(self.answer.prompt_tokens)

    async def chunks(self) -> AsyncIterator[dict[str, Any]]:
        """Objects of the stream."""
        async for event in self.answer:
            if isinstance(event, Chunk):
                yield self._piece(event)
            elif isinstance(event, Progress):
                self.timings.note(event)
                if self.body.return_progress:
                    yield self._progress(event)
            elif isinstance(event, Finished):
                yield self.last(event)

    def _base(self, index: int, content: str, tokens: list[int]) -> dict[str, Any]:
        return {
            "index": self.offset + index,
            "content": content,
            "tokens": tokens,
            "stop": False,
            "id_slot": max(self.body.id_slot, 0),
            "tokens_predicted": self.timings.tokens(index),
            "tokens_evaluated": self.answer.prompt_tokens,
        }

    def _piece(self, piece: Chunk) -> dict[str, Any]:
        self.timings.note(piece)
        chunk = self._base(piece.index, piece.text, piece.token_ids)
        if self.body.timings_per_token:
            chunk["timings"] = self.timings.now(piece.index)
        if self.body.n_probs and piece.logprobs is not None:
            chunk["completion_probabilities"] = probabilities(
                self.answer.model.tokenizer, piece.token_ids, piece.logprobs
            )
        return chunk

    def _progress(self, event: Progress) -> dict[str, Any]:
        chunk = self._base(event.index, "", [])
        chunk["prompt_progress"] = {
            "total": event.total,
            "cache": event.cached,
            "processed": event.done,
            "time_ms": event.elapsed_ns / 1e6,
        }
        return chunk

    def last(self, end: Finished) -> dict[str, Any]:
        """The object that ends a choice; the only one of an answer that is not streamed."""
        body, generation = self.body, end.generation
        stop_type = "word" if generation.stop else _STOP_TYPES.get(generation.cause, "eos")
        text = "" if body.stream else generation.text
        result: dict[str, Any] = {
            "index": self.offset + end.index,
            "content": text,
            "tokens": generation.token_ids if body.return_tokens and not body.stream else [],
            "id_slot": max(body.id_slot, 0),
            "stop": True,
            "model": self.answer.model.name,
            "tokens_predicted": generation.usage.completion_tokens,
            "tokens_evaluated": generation.usage.prompt_tokens,
            "tokens_cached": generation.usage.cached_tokens,
            "generation_settings": generation_settings(self.answer.params, body)
            | {"seed": generation.seed},
            "prompt": self.answer.prompt_text,
            "has_new_line": "\n" in generation.text,
            "truncated": generation.cause == "context",
            "stop_type": stop_type,
            "stopping_word": generation.stop or "",
            "timings": timings(generation),
        }
        if body.n_probs and generation.logprobs is not None and not body.stream:
            result["completion_probabilities"] = probabilities(
                self.answer.model.tokenizer, generation.token_ids, generation.logprobs
            )
        return _selected(result, body.response_fields)


def probabilities(
    tokenizer: Tokenizer, tokens: list[int], logprobs: list[TokenLogprobs | None]
) -> list[dict[str, Any]]:
    """One object per sampled token with its best alternatives."""
    found = []
    for token, entry in zip(tokens, logprobs, strict=False):
        if entry is not None:
            chosen, best = entry
            top = [_probability(tokenizer, other, value) for other, value in best]
            found.append(_probability(tokenizer, token, chosen) | {"top_logprobs": top})
    return found


def _probability(tokenizer: Tokenizer, token: int, logprob: float) -> dict[str, Any]:
    data = tokenizer.token_bytes(token)
    return {
        "id": token,
        "token": data.decode("utf-8", "replace"),
        "bytes": list(data),
        "logprob": logprob,
    }


def _selected(result: dict[str, Any], fields: list[str] | None) -> dict[str, Any]:
    """Only the wanted fields; ``a/b`` takes an inner one, under this name."""
    if not fields:
        return result
    chosen = {}
    for path in fields:
        value: Any = result
        for part in path.split("/"):
            if not isinstance(value, dict) or part not in value:
                break
            value = value[part]
        else:
            chosen[path] = value
    return chosen
