"""The ``timings`` object of llama-server; chat completions carry it too."""

from __future__ import annotations

from typing import Any

from pyinfer.answer import Generation


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
