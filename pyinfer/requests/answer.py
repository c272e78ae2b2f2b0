"""From token ids to an answer: text, reasoning, counts and durations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from pyinfer.engine.messages import Stats, TokenLogprobs
from pyinfer.text.detokenizer import Detokenizer
from pyinfer.text.reasoning import Part, ReasoningParser
from pyinfer.text.stop import StopMatcher
from pyinfer.text.tokenizer import Tokenizer

Kind = Literal["reasoning", "content"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer as it is being generated.

    Attributes
    ----------
    kind : "reasoning" or "content"
    text : str
        Never ends inside a character; empty only for a model without a tokenizer.
    token_id : int or None
        The token that completed the text; None for text that was held back until the end.
    """

    kind: Kind
    text: str
    token_id: int | None


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one answer.

    Attributes
    ----------
    prompt_tokens, cached_tokens : int
        Length of the prompt, and how much of it was known from earlier requests.
    completion_tokens, reasoning_tokens : int
        Generated tokens (an end token included), and how many of them belong to the reasoning.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Timings:
    """Durations of one answer in nanoseconds.

    Attributes
    ----------
    load_ns : int
        Loading the model, once, before any request.
    queue_ns : int
        Waiting for other requests.
    prompt_ns : int
        Evaluating the prompt, until the first token was there.
    decode_ns : int
        From the first token to the last.
    prompt_tokens, decode_tokens : int
        Tokens evaluated in ``prompt_ns`` (cached ones left out) and in ``decode_ns``.
    bytes_per_token : int
        Weight bytes that the model reads for one token.
    """

    load_ns: int
    queue_ns: int
    prompt_ns: int
    decode_ns: int
    prompt_tokens: int
    decode_tokens: int
    bytes_per_token: int

    @property
    def total_ns(self) -> int:
        """Everything from the submission to the end, and the load."""
        return self.load_ns + self.queue_ns + self.prompt_ns + self.decode_ns

    @property
    def prompt_per_second(self) -> float:
        """Prompt tokens evaluated per second."""
        return self.prompt_tokens / self.prompt_ns * 1e9

    @property
    def decode_per_second(self) -> float:
        """Tokens generated per second after the first one; 0 if there was only one."""
        return self.decode_tokens / self.decode_ns * 1e9 if self.decode_tokens else 0.0

    @property
    def decode_bytes_per_second(self) -> float:
        """Weight bytes read per second while generating."""
        return self.decode_per_second * self.bytes_per_token


@dataclass(frozen=True, slots=True)
class Generation:
    """A complete answer.

    Attributes
    ----------
    text : str
        The answer without the reasoning. Empty for a model without a tokenizer.
    reasoning : str
        What stood between ``<think>`` and ``</think>``.
    token_ids : list of int
        Every generated token, the end token included.
    finish_reason : "stop", "length" or "cancelled"
    cause : str
        More precisely: ``eos``, ``token`` (a stop token id), ``hook`` (a stop string), ``limit``
        (max_tokens), ``context`` (context full), ``loop`` (repeated itself) or ``cancelled``.
    stop : str or None
        The stop string that ended the answer.
    seed : int
        The seed used; the same one gives the same answer.
    usage : Usage
    timings : Timings
    logprobs : list or None
        If asked, for each token its log-probability and the best alternatives as (id,
        log-probability); None for a token that was not sampled.
    """

    text: str
    reasoning: str
    token_ids: list[int]
    finish_reason: Literal["stop", "length", "cancelled"]
    cause: str
    stop: str | None
    seed: int
    usage: Usage
    timings: Timings
    logprobs: list[TokenLogprobs | None] | None = field(default=None, repr=False)


class AnswerBuilder:
    """Sorts tokens into reasoning and content, up to the first stop string.

    Parameters
    ----------
    tokenizer : Tokenizer or None
        None for token ids only.
    stops : iterable of str
        Stop strings; never part of the text.
    end_ids : iterable of int
        Tokens that end the answer; never part of the text.
    starts_in_reasoning : bool
        The prompt ended with the opening tag.
    split : bool
        False leaves the reasoning and its tags in the content; its tokens are counted all the same.
    """

    def __init__(
        self,
        tokenizer: Tokenizer | None,
        stops: Iterable[str],
        end_ids: Iterable[int],
        *,
        starts_in_reasoning: bool,
        split: bool = True,
    ) -> None:
        self._detokenizer = None if tokenizer is None else Detokenizer(tokenizer)
        self._matcher = StopMatcher(tuple(stops))
        tags = () if tokenizer is None else tokenizer.tags
        self._parser = ReasoningParser(starts_in_reasoning, tags)
        self._split = split
        self._end_ids = frozenset(end_ids)
        self._texts: dict[Kind, list[str]] = {"reasoning": [], "content": []}
        self.token_ids: list[int] = []
        self.logprobs: list[TokenLogprobs | None] = []
        self.reasoning_tokens = 0

    def push(self, token: int) -> list[Chunk]:
        """Take one token and return the text that is settled now."""
        self.token_ids.append(token)
        if token in self._end_ids:
            return []
        if self._detokenizer is None:
            return [Chunk("content", "", token)]
        inside = self._parser.in_reasoning
        texts: list[str] = []
        for piece in self._detokenizer.pieces(token):
            texts += self._matcher.feed(piece)
        parts = self._sort(texts)
        if inside or self._parser.in_reasoning:
            self.reasoning_tokens += 1
        return self._chunks(parts, token)

    @property
    def holding(self) -> bool:
        """Whether text is held back that a later piece may show."""
        if self._detokenizer is None or self._matcher.stopped:
            return False
        held = self._detokenizer.incomplete or self._matcher.holding
        return held or (self._split and self._parser.holding)

    def finish(self) -> list[Chunk]:
        """Return what was held back; the answer is complete."""
        if self._detokenizer is None:
            return []
        parts = self._sort(
            [*self._matcher.feed(self._detokenizer.finish()), *self._matcher.flush()]
        )
        return self._chunks(parts + (self._parser.finish() if self._split else []), None)

    def _sort(self, texts: list[str]) -> list[Part]:
        """Reasoning and content; all of it is content where the two are not to be split."""
        parts = [part for text in texts for part in self._parser.push(text)]
        return parts if self._split else [("content", text) for text in texts]

    def _chunks(self, parts: list[Part], token: int | None) -> list[Chunk]:
        for kind, text in parts:
            self._texts[kind].append(text)
        return [Chunk(kind, text, token) for kind, text in parts]

    def generation(
        self,
        reason: Literal["stop", "length", "cancelled"],
        cause: str,
        stats: Stats,
        *,
        load_ns: int,
        bytes_per_token: int,
    ) -> Generation:
        """The complete answer."""
        return Generation(
            text="".join(self._texts["content"]),
            reasoning="".join(self._texts["reasoning"]),
            token_ids=self.token_ids,
            finish_reason=reason,
            cause=cause,
            stop=self._matcher.found,
            seed=stats.seed,
            usage=Usage(
                stats.prompt_tokens,
                stats.cached_tokens,
                stats.completion_tokens,
                self.reasoning_tokens,
            ),
            timings=Timings(
                load_ns=load_ns,
                queue_ns=stats.queue_ns,
                prompt_ns=stats.prompt_ns,
                decode_ns=stats.decode_ns,
                prompt_tokens=stats.prompt_tokens - stats.cached_tokens,
                decode_tokens=max(0, stats.completion_tokens - 1),
                bytes_per_token=bytes_per_token,
            ),
            logprobs=self.logprobs or None,
        )
