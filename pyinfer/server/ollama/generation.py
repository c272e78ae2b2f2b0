"""The lines of an answer, in a stream or folded into one object."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from pyinfer.engine.messages import TokenLogprobs
from pyinfer.errors import RequestError
from pyinfer.requests.answer import Chunk, Finished, ToolCallArguments, ToolCallStart
from pyinfer.requests.spec import GenerateSpec, bad_value
from pyinfer.server.http.streaming import ndjson, unless_disconnected
from pyinfer.server.ollama.bodies import AnswerBody
from pyinfer.server.ollama.options import (
    FALLBACK,
    read_answer_options,
    read_format,
    read_keep_alive,
    read_think,
)
from pyinfer.serving.running_answer import Answer
from pyinfer.serving.service import Service
from pyinfer.text.tokenizer import Tokenizer

log = logging.getLogger("pyinfer.server")


@dataclass(frozen=True, slots=True)
class Delta:
    """What is new in a line: text of the answer or of the reasoning, or a tool call."""

    content: str = ""
    thinking: str = ""
    tool_call: dict[str, Any] | None = None


#: Fields of a line for a piece of an answer; the two routes differ only in them.
Render = Callable[[Delta], dict[str, Any]]


def timestamp(seconds: float | None = None) -> str:
    """Now, or seconds since 1970, as RFC 3339 in UTC."""
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_spec(request: Request, body: AnswerBody) -> GenerateSpec:
    """What both routes ask for; messages or prompt are still to be added.

    Raises
    ------
    RequestError
        A value is wrong; ``param`` names it.
    """
    keep_alive, options = read_keep_alive(body.keep_alive), read_answer_options(body)
    return GenerateSpec(
        model=body.model,
        think=read_think(body.think),
        params=options.params,
        fallback=FALLBACK,
        context=options.context,
        truncate=bool(body.truncate),
        grammar=read_format(body.format),
        keep_alive=keep_alive,
        stream=body.stream is not False,
        request_id=getattr(request.state, "request_id", ""),
    )


async def respond(
    request: Request, body: AnswerBody, spec: GenerateSpec, render: Render, *, context: bool = False
) -> Response:
    """Run a request and answer as a stream of lines or as one object.

    Raises
    ------
    PyinferError
        Everything that can be refused before the first token.
    """
    service: Service = request.app.state.service
    arrived = time.perf_counter_ns()
    try:
        answer: Answer = await unless_disconnected(request, service.generate(spec))
    except RequestError as error:
        if error.param == "think":
            raise bad_value("think", f'"{body.model}" does not support thinking') from None
        raise
    name = body.model or answer.model.name
    lines = Lines(answer, name, render, arrived, context)
    headers = {}
    if answer.truncated_messages or answer.truncated_tokens:
        text = f"{answer.truncated_messages} messages, {answer.truncated_tokens} tokens"
        headers["Warning"] = f'199 pyinfer "left out of the prompt: {text}"'
        log.warning("the prompt was too long; left out: %s", text)
    if body.stream is False:
        return JSONResponse(await unless_disconnected(request, lines.folded()), headers=headers)
    return ndjson(lines.stream(), ping=lambda: lines.line(Delta()), headers=headers)


def ended(name: str, render: Render, reason: str) -> Response:
    """The answer to a request that only loads or unloads."""
    return JSONResponse(
        {
            "model": name,
            "created_at": timestamp(),
            **render(Delta()),
            "done": True,
            "done_reason": reason,
        }
    )


async def load_only(
    request: Request, model: str, keep_alive: float | None, render: Render
) -> Response:
    """Load a model, or unload it where ``keep_alive`` is 0."""
    service: Service = request.app.state.service
    if keep_alive == 0:
        await service.unload(model)
        return ended(model, render, "unload")
    served = await unless_disconnected(request, service.load(model, keep_alive))
    return ended(model or served.name, render, "load")


class Lines:
    """Renders the events of an answer.

    Parameters
    ----------
    answer : Answer
    name : str
        The model's name as the client wrote it.
    render : callable
    arrived : int
        ``time.perf_counter_ns()`` of the request.
    context : bool
        Give the token ids of prompt and answer.
    """

    def __init__(
        self, answer: Answer, name: str, render: Render, arrived: int, context: bool = False
    ) -> None:
        self._answer = answer
        self._name = name
        self._render = render
        self._arrived = arrived
        self._context = context
        self._call: tuple[int, str, str, list[str]] | None = None

    def line(self, delta: Delta) -> dict[str, Any]:
        """A line in the middle of an answer."""
        return {
            "model": self._name,
            "created_at": timestamp(),
            **self._render(delta),
            "done": False,
        }

    async def stream(self) -> AsyncGenerator[dict[str, Any]]:
        """All lines; leaving the iterator ends the generation."""
        async with self._answer as answer:
            async for event in answer:
                if isinstance(event, Chunk):
                    yield self._piece(event)
                elif isinstance(event, ToolCallStart):
                    if (call := self._complete_call()) is not None:
                        yield call
                    self._call = (event.call, event.id, event.name, [])
                elif isinstance(event, ToolCallArguments) and self._call is not None:
                    self._call[3].append(event.text)
                elif isinstance(event, Finished):
                    if (call := self._complete_call()) is not None:
                        yield call
                    yield self._last(event)

    async def folded(self) -> dict[str, Any]:
        """One object with everything that the lines say."""
        texts: dict[str, str] = {"content": "", "thinking": "", "response": ""}
        calls: list[Any] = []
        logprobs: list[Any] = []
        last: dict[str, Any] = {}
        async with contextlib.aclosing(self.stream()) as lines:
            async for line in lines:
                last = line
                part = line.get("message", line)
                for key in texts:
                    texts[key] += part.get(key, "")
                calls += part.get("tool_calls", [])
                logprobs += line.get("logprobs", [])
        part = last.get("message", last)
        part |= {key: text for key, text in texts.items() if text}
        if calls:
            part["tool_calls"] = calls
        if logprobs:
            last["logprobs"] = logprobs
        return last

    def _piece(self, event: Chunk) -> dict[str, Any]:
        if event.kind == "reasoning":
            line = self.line(Delta(thinking=event.text))
        else:
            line = self.line(Delta(content=event.text))
        if event.logprobs:
            tokenizer = self._answer.model.tokenizer
            pairs = zip(event.token_ids, event.logprobs, strict=True)
            line["logprobs"] = [_logprob(tokenizer, i, entry) for i, entry in pairs if entry]
        return line

    def _complete_call(self) -> dict[str, Any] | None:
        if self._call is None:
            return None
        (number, call_id, name, parts), self._call = self._call, None
        function = {"index": number, "name": name, "arguments": _object("".join(parts))}
        return self.line(Delta(tool_call={"id": call_id, "function": function}))

    def _last(self, event: Finished) -> dict[str, Any]:
        answer, generation = self._answer, event.generation
        usage, timings = generation.usage, generation.timings
        line = {
            "model": self._name,
            "created_at": timestamp(),
            **self._render(Delta()),
            "done": True,
            "done_reason": "length" if event.reason == "length" else "stop",
            "total_duration": max(1, time.perf_counter_ns() - self._arrived),
            "load_duration": max(1, answer.record.model_ns),
            "prompt_eval_count": usage.prompt_tokens,
            "prompt_eval_duration": max(1, timings.prompt_ns),
            "eval_count": usage.completion_tokens,
            "eval_duration": max(1, timings.decode_ns),
            "prompt_cached_count": usage.cached_tokens,
        }
        if answer.truncated_messages or answer.truncated_tokens:
            line["truncated_messages"] = answer.truncated_messages
            line["truncated_tokens"] = answer.truncated_tokens
        if self._context:
            line["context"] = [*answer.token_ids, *generation.token_ids]
        return line


def _object(text: str) -> dict[str, Any]:
    """Arguments are an object here, whatever a model writes."""
    try:
        value = json.loads(text)
    except ValueError:
        return {"arguments": text} if text.strip() else {}
    return value if isinstance(value, dict) else {"arguments": value}


def _logprob(tokenizer: Tokenizer, token: int, entry: TokenLogprobs) -> dict[str, Any]:
    value, best = entry
    result = _token_logprob(tokenizer, token, value)
    if best:
        result["top_logprobs"] = [_token_logprob(tokenizer, i, p) for i, p in best]
    return result


def _token_logprob(tokenizer: Tokenizer, token: int, value: float) -> dict[str, Any]:
    data = tokenizer.token_bytes(token)
    return {"token": data.decode("utf-8", "replace"), "logprob": value, "bytes": list(data)}
