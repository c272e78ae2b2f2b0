"""From the engine's events of one answer to pieces of text, tool calls and the whole answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyinfer.engine.messages import End, PromptLogprobs, Stats, TokenLogprobs, Tokens
from pyinfer.requests.answer import (
    AnswerEvent,
    Chunk,
    Finished,
    Generation,
    Kind,
    PromptScores,
    Reason,
    Timings,
    ToolCallArguments,
    ToolCallStart,
    Usage,
)
from pyinfer.requests.prepare import Prepared
from pyinfer.text.detokenizer import INCOMPLETE, Decoded, Detokenizer
from pyinfer.text.reasoning import Part, ReasoningParser
from pyinfer.text.stop import StopMatcher
from pyinfer.text.tags import OPEN_TAG
from pyinfer.text.tool_parser import ToolEvent, ToolStart, ToolText

_Logprobs = list[TokenLogprobs | None]


class AnswerReader:
    """Sorts the tokens of one answer into reasoning, content and tool calls, up to a stop string.

    Tokens that rules of the request have decoded on the engine's side bring their text along; the
    others are decoded here.

    Parameters
    ----------
    prepared : Prepared
    index : int
        Which of the answers.
    load_ns : int
        For the timings: what loading the model took.
    keeps_logprobs : bool
        The complete answer has them once more.

    Attributes
    ----------
    generation : Generation or None
        Set when the answer is complete, also one that was cancelled.
    """

    def __init__(
        self, prepared: Prepared, index: int = 0, load_ns: int = 0, *, keeps_logprobs: bool = True
    ) -> None:
        model, spec, params = prepared.model, prepared.spec, prepared.params
        inside = prepared.prompt.starts_in_reasoning
        self._index = index
        self._load_ns = load_ns
        self._bytes_per_token = model.info.bytes_per_token
        self._detokenizer = None if model.tokenizer is None else Detokenizer(model.tokenizer)
        self._incomplete = False  # the tokens so far end inside a character
        self._matcher = StopMatcher(tuple(params.stop))
        self._split = spec.split_reasoning
        # Where stop strings are those of the content, the content is found first, then they.
        self._scoped = spec.scoped_stops
        self._parser = ReasoningParser(
            inside,
            model.tokenizer.tags if model.tokenizer else (),
            verbatim=self._scoped and not self._split,
            starts_in_content=bool(prepared.prompt.begun),
        )
        self._tools = None if prepared.plan is None else prepared.plan.parser()
        self._end_ids = frozenset((*model.defaults.eos_token_ids, *params.stop_token_ids))
        # The tag stands in the prompt; who wants the text as a whole wants it in the answer.
        restore = inside and not self._split and prepared.prompt.opens_tag
        self._head = OPEN_TAG + "\n" if restore else ""
        self._keeps_logprobs = keeps_logprobs
        self._with_logprobs = params.logprobs is not None
        self._texts: dict[Kind, list[str]] = {"reasoning": [], "content": []}
        self._token_ids: list[int] = []
        self._logprobs: _Logprobs = []
        # Tokens whose text was not delivered, and their log-probabilities.
        self._held_ids: list[int] = []
        self._held_logprobs: _Logprobs = []
        self._reasoning_tokens = 0
        self._prompt_tokens = len(prepared.prompt.token_ids)
        self._scores: _Logprobs = [None]
        self._scored = False
        self.generation: Generation | None = None

    def tokens(self, event: Tokens) -> list[AnswerEvent]:
        """Events for new tokens."""
        events: list[AnswerEvent] = []
        self._token_ids += event.ids
        logprobs = event.logprobs
        if logprobs is not None and self._keeps_logprobs:
            self._logprobs += logprobs
        texts = None if event.texts is None else iter(event.texts)
        for place, token in enumerate(event.ids):
            if token in self._end_ids:
                continue
            self._held_ids.append(token)
            if logprobs is not None:
                self._held_logprobs.append(logprobs[place])
            parts = self._parts(token, texts)
            if parts:
                self._add(parts, events)
            elif not self._holding and self._tools is None:
                self._drop()
        return events

    def scores(self, event: PromptLogprobs) -> list[AnswerEvent]:
        """One event when all tokens of the prompt have their log-probabilities."""
        if self._scored:
            return []
        self._scores[event.start :] = event.entries
        self._scored = len(self._scores) == self._prompt_tokens
        return [PromptScores(self._index, self._scores)] if self._scored else []

    def end(self, event: End) -> list[AnswerEvent]:
        """The last events; an answer that was cancelled is not reported as complete."""
        events: list[AnswerEvent] = []
        self._add(self._sorted([INCOMPLETE] if self._incomplete else [], last=True), events)
        if self._tools is not None:
            self._sort(self._tools.finish(), events)
        calls = [] if self._tools is None else self._tools.calls
        reason: Reason = event.reason
        if reason == "stop" and calls:
            reason = "tool_calls"
        self.generation = Generation(
            text="".join(self._texts["content"]),
            reasoning="".join(self._texts["reasoning"]),
            token_ids=self._token_ids,
            finish_reason=reason,
            cause=event.cause,
            stop=self._matcher.found,
            seed=event.stats.seed,
            usage=_usage(event.stats, self._reasoning_tokens),
            timings=_timings(event.stats, self._load_ns, self._bytes_per_token),
            logprobs=self._logprobs or None,
            tool_calls=calls,
            prompt_logprobs=self._scores if self._scored else None,
            index=self._index,
        )
        if reason != "cancelled":
            events.append(Finished(self.generation))
        return events

    def _parts(self, token: int, texts: Iterator[Decoded] | None) -> list[Part]:
        """The text that is settled with one more token."""
        if self._detokenizer is None:
            return [("content", "")]
        decoded = self._detokenizer.decode(token) if texts is None else next(texts, ([], False))
        pieces, self._incomplete = decoded
        inside = self._parser.in_reasoning
        parts = self._sorted(pieces)
        if inside or self._parser.in_reasoning:
            self._reasoning_tokens += 1
        return parts

    def _sorted(self, pieces: Sequence[str], last: bool = False) -> list[Part]:
        """Reasoning and content up to a stop string; ``last`` gives what is held back, too.

        All of it is content where the two are not to be split.
        """
        matcher, parser = self._matcher, self._parser
        if not self._scoped:
            texts = [text for piece in pieces for text in matcher.feed(piece)]
            texts += matcher.flush() if last else []
            parts = [part for text in texts for part in parser.push(text)]
            parts += parser.finish() if last else []
            return parts if self._split else [("content", text) for text in texts]
        found = [part for piece in pieces for part in parser.push(piece)]
        found += parser.finish() if last else []
        parts = []
        for kind, text in found:
            if kind == "content":
                parts += [("content", rest) for rest in matcher.feed(text)]
            else:
                parts.append((kind if self._split else "content", text))
        return parts + ([("content", text) for text in matcher.flush()] if last else [])

    @property
    def _holding(self) -> bool:
        """Whether text is held back that a later piece may show."""
        if self._matcher.stopped:
            return False
        held = self._incomplete or self._matcher.holding
        return held or ((self._split or self._scoped) and self._parser.holding)

    def _drop(self) -> None:
        self._held_ids, self._held_logprobs = [], []

    def _add(self, parts: list[Part], events: list[AnswerEvent]) -> None:
        """Deliver settled parts; the tokens so far belong to the first one."""
        for kind, text in parts:
            if self._head:
                text, self._head = self._head + text, ""
            if self._tools is not None and kind == "content":
                self._sort(self._tools.push(text), events)
            else:
                self._put(kind, text, events)

    def _sort(self, found: list[ToolEvent], events: list[AnswerEvent]) -> None:
        """Pass on what the parser of tool calls made of the content."""
        for event in found:
            if isinstance(event, ToolText):
                self._put("content", event.text, events)
                continue
            self._drop()
            if isinstance(event, ToolStart):
                events.append(ToolCallStart(self._index, event.call, event.id, event.name))
            else:
                last = events[-1] if events else None
                if isinstance(last, ToolCallArguments) and last.call == event.call:
                    last.text += event.text
                else:
                    events.append(ToolCallArguments(self._index, event.call, event.text))

    def _put(self, kind: Kind, text: str, events: list[AnswerEvent]) -> None:
        """Deliver text with the tokens that are held; in the last chunk if that is of its kind."""
        ids, logprobs = self._held_ids, self._held_logprobs
        self._drop()
        self._texts[kind].append(text)
        chunk = events[-1] if events else None
        if isinstance(chunk, Chunk) and chunk.kind == kind:
            chunk.text += text
            chunk.token_ids += ids
            if chunk.logprobs is not None:
                chunk.logprobs += logprobs
        else:
            kept = logprobs if self._with_logprobs else None
            events.append(Chunk(kind, text, ids, kept, self._index))


def _usage(stats: Stats, reasoning_tokens: int) -> Usage:
    return Usage(
        stats.prompt_tokens, stats.cached_tokens, stats.completion_tokens, reasoning_tokens
    )


def _timings(stats: Stats, load_ns: int, bytes_per_token: int) -> Timings:
    return Timings(
        load_ns=load_ns,
        queue_ns=stats.queue_ns,
        prompt_ns=stats.prompt_ns,
        decode_ns=stats.decode_ns,
        prompt_tokens=stats.prompt_tokens - stats.cached_tokens,
        decode_tokens=max(0, stats.completion_tokens - 1),
        bytes_per_token=bytes_per_token,
    )
