"""What goes into the engine and what comes out. Everything here can be pickled.

A request is answered by any number of :class:`Prefill` and :class:`Tokens` events and exactly one
:class:`End` or :class:`Failed`, which is the last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pyinfer.engine.params import SamplingParams
from pyinfer.errors import PyinferError

FinishReason = Literal["stop", "length", "cancelled"]

# (log-probability of the token, best alternatives as (id, log-probability))
TokenLogprobs = tuple[float, list[tuple[int, float]]]


@dataclass(slots=True, kw_only=True)
class Request:
    """One answer to one prompt.

    Attributes
    ----------
    request_id : int
        Chosen by the caller, unique among the running requests.
    tokens : int32 (T,)
        The prompt, at least one token.
    params : SamplingParams
    choice : int
        Index among several answers with the same seed; each draws its own random numbers.
    context : int or None
        Most tokens of prompt and answer together; None is the engine's limit.
    stream : bool
        Deliver tokens as they come; otherwise all at once with the end.
    reuse_prefix : bool
        Look for the beginning of the prompt among earlier sequences.
    cache_scope : str
        Only sequences of the same scope share what is computed.
    prompt_logits : bool
        Deliver the logits of every prompt token as :class:`PromptLogits`.
    prompt_logprobs : int or None
        Deliver the log-probability of every prompt token but the first, with so many alternatives,
        as :class:`PromptLogprobs`.
    embed : bool
        Deliver the final hidden state of the last prompt token as :class:`Embedding`.
    priority : int
        Of the requests that wait, those with a lower number come first.
    wall_ns : int or None
        End so many nanoseconds after the first step with a part of the request, wherever it is.
    deadline_ns : int or None
        Ends the answer so long after its first token, with the reason ``length``.
    submitted_ns : int
        ``time.perf_counter_ns()`` of the submission.
    rules : object
        What the hook factory needs to know of this request; of no meaning to the engine.
    """

    request_id: int
    tokens: npt.NDArray[np.int32]
    params: SamplingParams = field(default_factory=SamplingParams)
    choice: int = 0
    context: int | None = None
    stream: bool = True
    reuse_prefix: bool = True
    cache_scope: str = ""
    prompt_logits: bool = False
    prompt_logprobs: int | None = None
    embed: bool = False
    priority: int = 0
    deadline_ns: int | None = None
    wall_ns: int | None = None
    submitted_ns: int = 0
    rules: Any = None

    @property
    def every_row(self) -> bool:
        """Whether the logits of every prompt token are wanted, so none may come from a cache."""
        return self.prompt_logits or self.prompt_logprobs is not None


@dataclass(slots=True)
class Cancel:
    """Stop a request; it ends with the reason ``cancelled`` unless it has ended already."""

    request_id: int


@dataclass(slots=True)
class Pause:
    """Generate nothing more for a request until told to go on, since nobody takes it."""

    request_id: int
    on: bool


@dataclass(slots=True)
class Stats:
    """Counts and durations of one ended request.

    Attributes
    ----------
    prompt_tokens, cached_tokens, completion_tokens : int
        ``cached_tokens`` of the prompt were found in the prefix cache.
    seed : int
        The seed used.
    queue_ns, prompt_ns, decode_ns : int
        Nanoseconds until the first chunk, then until the first token, then until the end.
    preemptions : int
        How often the sequence was put back to make room.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    seed: int
    queue_ns: int
    prompt_ns: int
    decode_ns: int
    preemptions: int


@dataclass(slots=True)
class Queued:
    """The request waits for its turn."""

    request_id: int


@dataclass(slots=True)
class Prefill:
    """``done`` of ``total`` prompt tokens are evaluated, ``cached`` of them without work."""

    request_id: int
    done: int
    total: int
    cached: int


@dataclass(slots=True)
class PromptLogits:
    """Logits of the prompt tokens from ``start`` on, float32 (n, V)."""

    request_id: int
    start: int
    rows: npt.NDArray[np.float32]


@dataclass(slots=True)
class PromptLogprobs:
    """One entry per prompt token from ``start`` on, which is 1 or more.

    What was delivered from ``start`` on before is replaced: a sequence that was put back is
    evaluated again.
    """

    request_id: int
    start: int
    entries: list[TokenLogprobs]


@dataclass(slots=True)
class Embedding:
    """Final hidden state of the last prompt token after the last norm, float32 (D,)."""

    request_id: int
    vector: npt.NDArray[np.float32]


@dataclass(slots=True)
class Tokens:
    """New tokens of the answer.

    Attributes
    ----------
    ids : list of int
    logprobs : list or None
        One entry per token if asked; that of a forced token is None.
    texts : list of (list of str, bool) or None
        What each token adds to the text and whether it ends inside a character, if rules of the
        request have decoded them; an end token has no entry.
    """

    request_id: int
    ids: list[int]
    logprobs: list[TokenLogprobs | None] | None = None
    texts: list[tuple[list[str], bool]] | None = None


@dataclass(slots=True)
class End:
    """The answer is complete.

    ``cause`` says more than ``reason``: ``eos``, ``token`` (a stop token id), ``hook`` (stop string
    or another rule), ``limit`` (max_tokens), ``context`` (context full), ``deadline`` (out of
    time), ``loop`` (cut off by a rule because it repeated itself), ``cancelled``.
    """

    request_id: int
    reason: FinishReason
    cause: str
    stats: Stats


@dataclass(slots=True)
class Failed:
    """The request ended with an error."""

    request_id: int
    error: PyinferError


Event = Queued | Prefill | PromptLogits | PromptLogprobs | Embedding | Tokens | End | Failed
