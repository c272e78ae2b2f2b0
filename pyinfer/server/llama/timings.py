"""The ``timings`` object of llama-server; chat completions carry it too."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from pyinfer.requests.answer import Chunk, Generation, Progress


def timings(generation: Generation) -> dict[str, Any]:
    """Counts, milliseconds and rates of one answer.

    ``prompt_n + cache_n`` is the length of the prompt. Rates of generated tokens leave the first
    one out: it comes with the evaluation of the prompt.
    """
    usage, times = generation.usage, generation.timings
    return timings_of(
        cached=usage.cached_tokens,
        prompt=usage.prompt_tokens - usage.cached_tokens,
        prompt_ns=times.prompt_ns,
        predicted=usage.completion_tokens,
        predicted_ns=times.decode_ns,
    )


def timings_of(
    *, cached: int, prompt: int, prompt_ns: int, predicted: int, predicted_ns: int
) -> dict[str, Any]:
    """The same from bare numbers, also in the middle of an answer."""
    after_first = max(0, predicted - 1)
    return {
        "cache_n": cached,
        "prompt_n": prompt,
        "prompt_ms": prompt_ns / 1e6,
        "prompt_per_token_ms": prompt_ns / 1e6 / prompt if prompt else 0.0,
        "prompt_per_second": prompt / prompt_ns * 1e9 if prompt_ns else 0.0,
        "predicted_n": predicted,
        "predicted_ms": predicted_ns / 1e6,
        "predicted_per_token_ms": predicted_ns / 1e6 / after_first if after_first else 0.0,
        "predicted_per_second": after_first / predicted_ns * 1e9 if predicted_ns else 0.0,
    }


@dataclass(slots=True)
class _Count:
    """What was delivered of one choice so far."""

    tokens: int = 0
    first_ns: int = 0


@dataclass(slots=True)
class RunningTimings:
    """Timings in the middle of the answers to one prompt, from what was delivered so far.

    Attributes
    ----------
    prompt_tokens : int
    """

    prompt_tokens: int
    _cached: int = 0
    _started_ns: int = field(default_factory=time.perf_counter_ns)
    _counts: dict[int, _Count] = field(default_factory=dict)

    def tokens(self, index: int) -> int:
        """Tokens of a choice that were delivered."""
        return self._counts.setdefault(index, _Count()).tokens

    def note(self, event: Progress | Chunk) -> None:
        """Count what is about to be delivered."""
        if isinstance(event, Progress):
            self._cached = event.cached
            return
        count = self._counts.setdefault(event.index, _Count())
        count.first_ns = count.first_ns or time.perf_counter_ns()
        count.tokens += len(event.token_ids)

    def now(self, index: int) -> dict[str, Any]:
        """The object for a choice that has begun."""
        count = self._counts[index]
        return timings_of(
            cached=self._cached,
            prompt=self.prompt_tokens - self._cached,
            prompt_ns=count.first_ns - self._started_ns,
            predicted=count.tokens,
            predicted_ns=time.perf_counter_ns() - count.first_ns,
        )
