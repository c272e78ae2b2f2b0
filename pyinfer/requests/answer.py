"""What a request gets back: pieces of its answers as they come, and the complete answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pyinfer.engine.messages import TokenLogprobs
from pyinfer.text.tool_parser import ToolCall

Kind = Literal["reasoning", "content"]
Reason = Literal["stop", "length", "tool_calls", "cancelled"]


@dataclass(slots=True)
class Chunk:
    """A piece of the text of an answer as it is being generated.

    Attributes
    ----------
    kind : "reasoning" or "content"
    text : str
        Never ends inside a character; empty only for a model without a tokenizer.
    token_ids : list of int
        The tokens whose text this completes. Tags, end tokens and stop strings are in no chunk.
    logprobs : list or None
        One entry per token if asked.
    index : int
        Which of the answers to the request.
    """

    kind: Kind
    text: str
    token_ids: list[int]
    logprobs: list[TokenLogprobs | None] | None = None
    index: int = 0


@dataclass(slots=True)
class ToolCallStart:
    """Call number ``call`` of answer ``index`` begins; ``kind`` and ``text`` as in a chunk."""

    index: int
    call: int
    id: str
    name: str
    kind: Literal["tool_call"] = field(default="tool_call", init=False)
    text: str = field(default="", init=False)


@dataclass(slots=True)
class ToolCallArguments:
    """More of the JSON text of the arguments of a call."""

    index: int
    call: int
    text: str
    kind: Literal["tool_call"] = field(default="tool_call", init=False)


@dataclass(slots=True)
class Progress:
    """``done`` of ``total`` prompt tokens are evaluated, ``cached`` of them without work."""

    index: int
    done: int
    total: int
    cached: int
    elapsed_ns: int


@dataclass(slots=True)
class PromptScores:
    """Log-probabilities of the prompt's tokens; None for the first, which follows nothing."""

    index: int
    logprobs: list[TokenLogprobs | None]


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
    finish_reason : "stop", "length", "tool_calls" or "cancelled"
    cause : str
        More precisely: ``eos``, ``token`` (a stop token id), ``hook`` (a stop string), ``limit``
        (max_tokens), ``context`` (context full), ``deadline`` (out of time), ``loop`` (repeated
        itself) or ``cancelled``.
    stop : str or None
        The stop string that ended the answer.
    seed : int
        The seed used; the same one gives the same answer.
    usage : Usage
    timings : Timings
    logprobs : list or None
        If asked, for each token its log-probability and the best alternatives as (id,
        log-probability); None for a token that was not sampled.
    tool_calls : list of ToolCall
        What the model wants to be called: ``id``, ``name`` and ``arguments`` (JSON text).
    prompt_logprobs : list or None
        If asked, the same for each token of the prompt; None for the first, which follows nothing.
    index : int
        Which of the answers to the request this is.
    others : tuple of Generation
        The further answers of a request with ``n`` above 1.
    """

    text: str
    reasoning: str
    token_ids: list[int]
    finish_reason: Reason
    cause: str
    stop: str | None
    seed: int
    usage: Usage
    timings: Timings
    logprobs: list[TokenLogprobs | None] | None = field(default=None, repr=False)
    tool_calls: list[ToolCall] = field(default_factory=list)
    prompt_logprobs: list[TokenLogprobs | None] | None = field(default=None, repr=False)
    index: int = 0
    others: tuple[Generation, ...] = ()

    @property
    def choices(self) -> tuple[Generation, ...]:
        """All answers to the request, this one first."""
        return self, *self.others


@dataclass(frozen=True, slots=True)
class Finished:
    """An answer is complete."""

    generation: Generation

    @property
    def index(self) -> int:
        """Which of the answers to the request."""
        return self.generation.index

    @property
    def reason(self) -> Reason:
        """What clients are told."""
        return self.generation.finish_reason

    @property
    def tool_calls(self) -> list[ToolCall]:
        """Calls of the answer."""
        return self.generation.tool_calls


#: What a stream delivers to whoever reads an answer piece by piece; all have ``kind`` and ``text``.
StreamPart = Chunk | ToolCallStart | ToolCallArguments
AnswerEvent = Progress | PromptScores | StreamPart | Finished
