"""What a finished answer says about itself: timings for people, one object for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pyinfer.cli.durations import go_duration

if TYPE_CHECKING:
    from pyinfer.model_info import ModelInfo
    from pyinfer.requests.answer import Generation


def verbose_lines(info: ModelInfo, result: Generation, bandwidth: float) -> list[str]:
    """Return the eight lines of Ollama's ``--verbose`` and four about this machine.

    Parameters
    ----------
    info : ModelInfo
    result : Generation
    bandwidth : float
        Bytes per second that this machine reads.
    """
    timings = result.timings
    speed = timings.decode_bytes_per_second
    fields = timing_fields(result) | {
        "instruction set": info.isa,
        "threads": str(info.threads),
        "memory bandwidth": f"{speed / 1e9:.2f} GB/s of weights, {speed / bandwidth:.0%} of the "
        f"{bandwidth / 1e9:.1f} GB/s measured now",
        "seed": str(result.seed),
    }
    return written(fields)


def timing_fields(result: Generation) -> dict[str, str]:
    """Names and values of Ollama's eight lines."""
    timings, usage = result.timings, result.usage
    return {
        "total duration": go_duration(timings.total_ns / 1e9),
        "load duration": go_duration(timings.load_ns / 1e9),
        "prompt eval count": f"{usage.prompt_tokens} token(s)",
        "prompt eval duration": go_duration(timings.prompt_ns / 1e9),
        "prompt eval rate": f"{timings.prompt_per_second:.2f} tokens/s",
        "eval count": f"{usage.completion_tokens} token(s)",
        "eval duration": go_duration(timings.decode_ns / 1e9),
        "eval rate": f"{timings.decode_per_second:.2f} tokens/s",
    }


def written(fields: dict[str, str]) -> list[str]:
    """Aligned lines of names and values."""
    return [f"{name + ':':<21} {value}" for name, value in fields.items()]


def json_report(info: ModelInfo, result: Generation, ascii_only: bool = False) -> str:
    """Return the answer as one JSON object on one line; durations in seconds."""
    timings, usage = result.timings, result.usage
    return json.dumps(
        {
            "model": info.name,
            "text": result.text,
            "reasoning": result.reasoning,
            "finish_reason": result.finish_reason,
            "seed": result.seed,
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "cached_tokens": usage.cached_tokens,
                "completion_tokens": usage.completion_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
            },
            "timings": {
                "total": timings.total_ns / 1e9,
                "load": timings.load_ns / 1e9,
                "prompt": timings.prompt_ns / 1e9,
                "decode": timings.decode_ns / 1e9,
                "prompt_per_second": timings.prompt_per_second,
                "decode_per_second": timings.decode_per_second,
            },
            "isa": info.isa,
            "threads": info.threads,
        },
        ensure_ascii=ascii_only,
    )
