"""Rendering the answers to a conversation, whole or as a stream of chunks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from pyinfer.requests.answer import (
    AnswerEvent,
    Chunk,
    Finished,
    Progress,
    ToolCallArguments,
    ToolCallStart,
)
from pyinfer.server.llama.timings import RunningTimings, timings
from pyinfer.server.openai.chat_schema import ChatBody
from pyinfer.server.openai.logprobs import chat_logprobs
from pyinfer.server.openai.tools import custom_names, input_of
from pyinfer.server.openai.usage import fingerprint, new_id, usage
from pyinfer.serving.running_answer import Answer

Json = dict[str, Any]


@dataclass(slots=True)
class _Choice:
    """What of one choice has come so far."""

    texts: dict[str, list[str]] = field(default_factory=lambda: {"reasoning": [], "content": []})
    logprobs: dict[str, list[Json]] = field(
        default_factory=lambda: {"reasoning": [], "content": []}
    )
    started: bool = False
    # Arguments of a call of a custom tool: its number and their pieces.
    custom: tuple[int, list[str]] | None = None


class ChatAnswer:
    """One answer of the service in the form of the chat endpoint.

    Parameters
    ----------
    body : ChatBody
    answer : Answer
    mirror_reasoning : bool
        Give the reasoning as ``reasoning``, too.
    """

    def __init__(self, body: ChatBody, answer: Answer, mirror_reasoning: bool = False) -> None:
        self._body = body
        self._answer = answer
        self._mirror = mirror_reasoning
        self._tokenizer = answer.model.tokenizer
        self._head = {
            "id": new_id("chatcmpl"),
            "object": "chat.completion.chunk" if body.stream else "chat.completion",
            "created": int(time.time()),
            "model": body.model or answer.model.name,
            "system_fingerprint": fingerprint(answer.model),
        }
        self._choices = [_Choice() for _ in range(body.n or 1)]
        self._finished: list[Finished] = []
        self._custom = custom_names(body.tools)
        self._timings = RunningTimings(answer.prompt_tokens)

    async def whole(self) -> Json:
        """The complete object."""
        async for event in self._answer:
            if isinstance(event, Chunk):
                choice = self._choices[event.index]
                choice.texts[event.kind].append(event.text)
                if self._body.logprobs:
                    choice.logprobs[event.kind] += chat_logprobs(self._tokenizer, event)
            elif isinstance(event, Finished):
                self._finished.append(event)
        self._finished.sort(key=lambda event: event.index)
        return {
            **self._head,
            "choices": [self._whole_choice(end) for end in self._finished],
            "usage": usage(end.generation for end in self._finished),
            "timings": timings(self._finished[0].generation),
        }

    def _whole_choice(self, end: Finished) -> Json:
        choice = self._choices[end.index]
        content = "".join(choice.texts["content"])
        message: Json = {"role": "assistant", "content": content}
        reasoning = "".join(choice.texts["reasoning"])
        if reasoning and self._body.shows_reasoning:
            message |= self._reasoning(reasoning)
        if end.tool_calls:
            calls = [self._call(call.id, call.name, call.arguments) for call in end.tool_calls]
            message |= {"content": content or None, "tool_calls": calls}
        return {
            "index": end.index,
            "message": message,
            "logprobs": self._logprobs(choice.logprobs) if self._body.logprobs else None,
            "finish_reason": end.reason,
        }

    def _call(self, call_id: str, name: str, arguments: str) -> Json:
        if name in self._custom:
            custom = {"name": name, "input": input_of(arguments)}
            return {"id": call_id, "type": "custom", "custom": custom}
        function = {"name": name, "arguments": arguments}
        return {"id": call_id, "type": "function", "function": function}

    def _reasoning(self, text: str) -> Json:
        both = {"reasoning": text} if self._mirror else {}
        return {"reasoning_content": text, **both}

    def _logprobs(self, found: dict[str, list[Json]]) -> Json:
        """Those of the content, and beside them those of the reasoning if it is shown."""
        result: Json = {"content": found["content"], "refusal": None}
        if found["reasoning"] and self._body.shows_reasoning:
            result["reasoning_content"] = found["reasoning"]
        return result

    async def chunks(self) -> AsyncIterator[Json]:
        """Objects of the stream; the answer is closed with the iterator."""
        async with self._answer:
            last = (self._body.n or 1) - 1
            async for event in self._answer:
                for opening in (self._role(event), self._custom_input(event)):
                    if opening is not None:
                        yield opening
                if isinstance(event, Finished):
                    self._finished.append(event)
                    closing = len(self._finished) > last and not self._body.include_usage
                    yield self._last_of(event, closing)
                elif isinstance(event, Progress):
                    self._timings.note(event)
                    if self._body.return_progress:
                        yield self._progress(event)
                else:
                    chunk = self._delta(event)
                    if chunk is not None:
                        yield chunk
            if self._body.include_usage and self._finished:
                first = min(self._finished, key=lambda end: end.index)
                yield {
                    **self._head,
                    "choices": [],
                    "usage": usage(end.generation for end in self._finished),
                    "timings": timings(first.generation),
                }

    def _chunk(
        self, index: int, delta: Json, reason: str | None = None, logprobs: Json | None = None
    ) -> Json:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        chunk: Json = {**self._head, "choices": [choice]}
        if self._body.include_usage:
            chunk["usage"] = None
        return chunk

    def _role(self, event: AnswerEvent) -> Json | None:
        """The chunk that opens a choice; the role is in no other."""
        choice = self._choices[event.index]
        if choice.started:
            return None
        choice.started = True
        return self._chunk(event.index, {"role": "assistant", "content": None})

    def _delta(self, event: AnswerEvent) -> Json | None:
        if isinstance(event, Chunk):
            return self._piece(event)
        if isinstance(event, ToolCallStart):
            call: Json = {"index": event.call, **self._call(event.id, event.name, "")}
            if event.name in self._custom:
                self._choices[event.index].custom = (event.call, [])
        elif isinstance(event, ToolCallArguments):
            custom = self._choices[event.index].custom
            if custom is not None:
                custom[1].append(event.text)
                return None
            call = {"index": event.call, "function": {"arguments": event.text}}
        else:
            return None
        return self._chunk(event.index, {"tool_calls": [call]})

    def _custom_input(self, event: AnswerEvent) -> Json | None:
        """The text of a custom tool's call when it is complete: when something else comes."""
        choice = None if isinstance(event, Progress) else self._choices[event.index]
        if choice is None or choice.custom is None or isinstance(event, ToolCallArguments):
            return None
        (call, pieces), choice.custom = choice.custom, None
        delta = {"index": call, "custom": {"input": input_of("".join(pieces))}}
        return self._chunk(event.index, {"tool_calls": [delta]})

    def _piece(self, piece: Chunk) -> Json | None:
        self._timings.note(piece)
        if piece.kind == "reasoning" and not self._body.shows_reasoning:
            return None
        delta: Json = {}
        if piece.kind == "reasoning":
            delta |= self._reasoning(piece.text)
        else:
            delta["content"] = piece.text
        logprobs = None
        if self._body.logprobs:
            found: dict[str, list[Json]] = {"reasoning": [], "content": []}
            found[piece.kind] = chat_logprobs(self._tokenizer, piece)
            logprobs = self._logprobs(found)
        chunk = self._chunk(piece.index, delta, logprobs=logprobs)
        if self._body.timings_per_token:
            chunk["timings"] = self._timings.now(piece.index)
        return chunk

    def _last_of(self, end: Finished, closing: bool) -> Json:
        chunk = self._chunk(end.index, {}, end.reason)
        if closing:
            first = min(self._finished, key=lambda event: event.index)
            chunk["timings"] = timings(first.generation)
        return chunk

    def _progress(self, event: Progress) -> Json:
        chunk = self._chunk(event.index, {})
        chunk["prompt_progress"] = {
            "total": event.total,
            "cache": event.cached,
            "processed": event.done,
            "time_ms": event.elapsed_ns / 1e6,
        }
        return chunk
