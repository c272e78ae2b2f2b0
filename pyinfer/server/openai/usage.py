"""What answers have in common: ids, the fingerprint, counts of tokens."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from typing import Any

import pyinfer
from pyinfer.requests.answer import Generation
from pyinfer.requests.spec import ServedModel


def new_id(prefix: str) -> str:
    """An identifier of one answer."""
    return f"{prefix}-{secrets.token_hex(12)}"


def fingerprint(model: ServedModel) -> str:
    """What the bits of an answer depend on besides the request: software and weights.

    ``b<build>-<hash>``; the hash is of the build and the model.
    """
    build = pyinfer.__version__
    parts = (build, model.digest or model.name, repr(model.info.config))
    return f"b{build}-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:10]}"


def usage(generations: Iterable[Generation]) -> dict[str, Any]:
    """Token counts of the answers to one prompt, which counts once."""
    prompt = cached = completion = reasoning = 0
    for generation in generations:
        counts = generation.usage
        prompt = max(prompt, counts.prompt_tokens)
        cached = max(cached, counts.cached_tokens)
        completion += counts.completion_tokens
        reasoning += counts.reasoning_tokens
    return _counts(prompt, cached, completion, reasoning)


def total(usages: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Token counts of several prompts."""
    prompt = cached = completion = reasoning = 0
    for counts in usages:
        prompt += counts["prompt_tokens"]
        completion += counts["completion_tokens"]
        cached += counts["prompt_tokens_details"]["cached_tokens"]
        reasoning += counts["completion_tokens_details"]["reasoning_tokens"]
    return _counts(prompt, cached, completion, reasoning)


def _counts(prompt: int, cached: int, completion: int, reasoning: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
