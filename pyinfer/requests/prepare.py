"""From a request to what the engine runs, and from the engine's events to those of an answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyinfer.engine.limits import EngineLimits
from pyinfer.engine.messages import End, PromptLogprobs, Request, TokenLogprobs, Tokens
from pyinfer.engine.params import SamplingParams
from pyinfer.requests.answer import AnswerBuilder, Chunk, Generation, Kind
from pyinfer.requests.prompts import Prompt, build_prompt
from pyinfer.requests.spec import (
    AnswerEvent,
    Finished,
    GenerateSpec,
    Piece,
    PromptScores,
    ServedModel,
    ToolCallArguments,
    ToolCallStart,
)
from pyinfer.text.grammar_check import CHECKER, check_end
from pyinfer.text.hooks import Rules
from pyinfer.text.tags import OPEN_TAG
from pyinfer.text.tool_parser import ToolArguments, ToolEvent, ToolStart, ToolText
from pyinfer.text.tools import ToolPlan, plan_tools

# Without a generation_config.json, models that reason are sampled as their authors recommend.
_RECOMMENDED = ("temperature", "top_p", "top_k")
_STATED = ("temperature", "top_p", "top_k", "repetition_penalty")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked request: its prompt and one engine request per answer, without ids.

    ``plan`` says what to do about tools.
    """

    prompt: Prompt
    params: SamplingParams
    requests: list[Request]
    plan: ToolPlan | None


def prepare(
    served: ServedModel,
    spec: GenerateSpec,
    limits: EngineLimits,
    default_budget: int | None = None,
    *,
    loop_guard: bool = False,
    grammar_checked: bool = False,
) -> Prepared:
    """Render, tokenise and check a request. Takes a while for long texts; thread-safe.

    With ``grammar_checked`` the caller sees to it that the grammar in the rules of the result can
    be followed, before it is submitted (:mod:`pyinfer.text.grammar_check`).

    Raises
    ------
    RequestError, ContextLengthError, ModelUnsupportedError, ModelFormatError
        The request cannot run.
    """
    params = sampling_params(served, spec)
    context = spec.context if spec.context is not None else served.preset.context
    whole = limits.context if context is None else min(context, limits.context)
    budget = spec.reasoning_budget if spec.reasoning_budget is not None else default_budget
    template = served.template
    if budget == 0 and template is not None and template.reasons and spec.think is not True:
        spec = replace(spec, think=False)
    plan = None
    if template is not None and spec.messages is not None:
        plan = plan_tools(
            spec.tools,
            spec.tool_choice,
            spec.parallel_tool_calls,
            template,
            served.tokenizer,
        )
    grammar = spec.grammar if plan is None else plan.grammar(spec.grammar)
    if grammar is not None:
        check_end(served.tokenizer)
        if not grammar_checked:
            CHECKER.check(grammar)
    prompt = build_prompt(served, spec, whole, plan)
    tokens = np.array(prompt.token_ids, np.int32)
    rules = Rules(
        grammar=grammar,
        reasoning_budget=budget,
        starts_in_reasoning=prompt.starts_in_reasoning,
        extra_stops=() if plan is None else plan.extra_stops,
        loop_guard=loop_guard,
    )
    requests = [
        Request(
            request_id=0,
            tokens=tokens,
            params=params,
            choice=index,
            context=whole,
            stream=spec.stream,
            reuse_prefix=spec.reuse_prefix,
            prompt_logprobs=spec.prompt_logprobs,
            rules=rules,
        )
        for index in range(spec.n)
    ]
    limits.check(requests[0])
    return Prepared(prompt, params, requests, plan)


def sampling_params(served: ServedModel, spec: GenerateSpec) -> SamplingParams:
    """What the request, the model's file, its ``generation_config.json`` and the dialect say.

    In this order of precedence. A seed is drawn if nobody gives one, so that all answers of the
    request report the same.
    """
    defaults = served.defaults
    names: tuple[str, ...] = tuple(name for name in defaults.stated if name in _STATED)
    if not names and served.template is not None and served.template.reasons:
        names = _RECOMMENDED
    stated = SamplingParams(**{name: getattr(defaults, name) for name in names})
    fallback = SamplingParams(**spec.fallback)  # type: ignore[arg-type]
    return spec.params.over(served.preset.params).over(stated).over(fallback).filled(defaults)


class AnswerReader:
    """Turns the engine's events of one answer into events for the client.

    Parameters
    ----------
    served : ServedModel
    spec : GenerateSpec
    prepared : Prepared
    index : int
        Which of the answers.
    load_ns : int
        For the timings.
    """

    def __init__(
        self,
        served: ServedModel,
        spec: GenerateSpec,
        prepared: Prepared,
        index: int,
        load_ns: int,
    ) -> None:
        params = prepared.params
        starts_in_reasoning = prepared.prompt.starts_in_reasoning
        self._builder = AnswerBuilder(
            served.tokenizer,
            params.stop,
            (*served.defaults.eos_token_ids, *params.stop_token_ids),
            starts_in_reasoning=starts_in_reasoning,
            split=spec.split_reasoning,
        )
        self._index = index
        self._load_ns = load_ns
        self._bytes_per_token = served.info.bytes_per_token
        self._with_logprobs = params.logprobs is not None
        # The tag stands in the prompt; who wants the text as a whole wants it in the answer.
        restore = starts_in_reasoning and not spec.split_reasoning and spec.messages is not None
        self._head = self._restored = OPEN_TAG + "\n" if restore else ""
        self._tools = None if prepared.plan is None else prepared.plan.parser()
        self._content: list[str] = []
        self._ids: list[int] = []
        self._logprobs: list[TokenLogprobs | None] = []
        self._prompt_tokens = len(prepared.prompt.token_ids)
        self._scores: list[TokenLogprobs | None] = [None]
        self._scored = False
        self.generation: Generation | None = None

    def tokens(self, event: Tokens) -> list[AnswerEvent]:
        """Events for new tokens."""
        events: list[AnswerEvent] = []
        builder = self._builder
        if event.logprobs is not None:
            builder.logprobs += event.logprobs
        for place, token in enumerate(event.ids):
            self._ids.append(token)
            if event.logprobs is not None:
                self._logprobs.append(event.logprobs[place])
            chunks = builder.push(token)
            if chunks:
                self._add(chunks, events)
            elif not builder.holding and self._tools is None:
                self._drop()
        return events

    def scores(self, event: PromptLogprobs) -> list[AnswerEvent]:
        """One event when all tokens of the prompt have their log-probabilities."""
        if self._scored:
            return []
        self._scores[event.start :] = event.entries
        self._scored = len(self._scores) == self._prompt_tokens
        return [PromptScores(self._index, self._scores)] if self._scored else []

    def end(self, event: End, reason: Any = None) -> list[AnswerEvent]:
        """The last events; ``reason`` replaces that of a cancellation."""
        events: list[AnswerEvent] = []
        self._add(self._builder.finish(), events)
        generation = self._builder.generation(
            reason or event.reason,
            event.cause if reason is None else "deadline",
            event.stats,
            load_ns=self._load_ns,
            bytes_per_token=self._bytes_per_token,
        )
        calls = []
        if self._tools is not None:
            self._sort(self._tools.finish(), [], [], events)
            calls = self._tools.calls
            generation = replace(generation, text="".join(self._content))
        elif self._restored and not self._head:
            generation = replace(generation, text=self._restored + generation.text)
        self.generation = generation
        finish: Any = generation.finish_reason
        if finish == "stop" and calls:
            finish = "tool_calls"
        if finish != "cancelled":
            events.append(Finished(self._index, finish, generation, calls))
        return events

    def _drop(self) -> None:
        self._ids.clear()
        self._logprobs.clear()

    def _add(self, chunks: list[Chunk], events: list[AnswerEvent]) -> None:
        """Join chunks of one kind; the tokens so far belong to the last piece."""
        for number, chunk in enumerate(chunks):
            if not chunk.text and not self._head:
                continue
            text = chunk.text
            if self._head:
                text, self._head = self._head + text, ""
            last = number == len(chunks) - 1
            ids = self._ids.copy() if last else []
            logprobs = self._logprobs.copy() if last and self._with_logprobs else []
            if last:
                self._drop()
            if self._tools is not None and chunk.kind == "content":
                self._sort(self._tools.push(text), ids, logprobs, events)
            else:
                self._put(chunk.kind, text, ids, logprobs, events)

    def _sort(
        self,
        found: list[ToolEvent],
        ids: list[int],
        logprobs: list[TokenLogprobs | None],
        events: list[AnswerEvent],
    ) -> None:
        """Pass on what the parser of tool calls made of the content."""
        for event in found:
            if isinstance(event, ToolText):
                self._content.append(event.text)
                self._put("content", event.text, ids, logprobs, events)
                ids, logprobs = [], []
            elif isinstance(event, ToolStart):
                events.append(ToolCallStart(self._index, event.call, event.id, event.name))
            elif isinstance(event, ToolArguments):
                last = events[-1] if events else None
                if isinstance(last, ToolCallArguments) and last.call == event.call:
                    last.text += event.text
                else:
                    events.append(ToolCallArguments(self._index, event.call, event.text))

    def _put(
        self,
        kind: Kind,
        text: str,
        ids: list[int],
        logprobs: list[TokenLogprobs | None],
        events: list[AnswerEvent],
    ) -> None:
        """Add text to the last piece if that is of the same kind."""
        piece = events[-1] if events else None
        if isinstance(piece, Piece) and piece.kind == kind:
            piece.text += text
            piece.token_ids += ids
            if piece.logprobs is not None:
                piece.logprobs += logprobs
        else:
            kept = logprobs if self._with_logprobs else None
            events.append(Piece(self._index, kind, text, ids, kept))
