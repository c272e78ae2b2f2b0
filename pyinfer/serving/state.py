"""What the service says of itself: for metrics, the log, ``/slots`` and ``/api/ps``."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pyinfer.engine.params import SamplingParams
from pyinfer.model_info import ModelInfo

Phase = Literal["queued", "prefill", "decode"]


@dataclass(frozen=True, slots=True)
class RunningModel:
    """A loaded (or loading) model.

    Attributes
    ----------
    name : str
    path : Path
    info : ModelInfo or None
        None while it loads.
    memory : int
        Bytes that its process holds now.
    expires_at : float or None
        Seconds since 1970 when it is unloaded if no request comes; None for never or while
        requests run.
    context : int
    requests : int
        Requests that run or wait for it.
    progress : float
        Part of the load that is done, 0 to 1.
    """

    name: str
    path: Path
    info: ModelInfo | None
    memory: int
    expires_at: float | None
    context: int
    requests: int
    progress: float


@dataclass(frozen=True, slots=True)
class SlotState:
    """One place for a running sequence.

    Attributes
    ----------
    id : int
    model : str
    request_id : str
        Empty when idle.
    phase : "prefill", "decode" or None
    prompt_tokens, evaluated_tokens, generated_tokens : int
    params : SamplingParams or None
    context : int
    """

    id: int
    model: str
    request_id: str = ""
    phase: Phase | None = None
    prompt_tokens: int = 0
    evaluated_tokens: int = 0
    generated_tokens: int = 0
    params: SamplingParams | None = None
    context: int = 0


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counters of one engine, current within a step.

    Attributes
    ----------
    running, waiting : int
        Sequences.
    kv_blocks, kv_free : int
        Blocks of the cache; free counts those that only the prefix cache holds.
    prefix_queries, prefix_hits : int
        Prompt tokens that were looked up and found.
    preemptions, steps : int
    evaluated_tokens, generated_tokens : int
        Tokens that went through the model, and tokens that it chose.
    """

    running: int = 0
    waiting: int = 0
    kv_blocks: int = 0
    kv_free: int = 0
    prefix_queries: int = 0
    prefix_hits: int = 0
    preemptions: int = 0
    steps: int = 0
    evaluated_tokens: int = 0
    generated_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ModelStats:
    """One loaded model: its engine's counters, its memory, and requests before the engine."""

    name: str
    engine: EngineStats
    memory: int
    block_size: int
    threads: int
    isa: str
    waiting: int


@dataclass(frozen=True, slots=True)
class ServiceStats:
    """Everything that metrics show as of now.

    Attributes
    ----------
    models : list of ModelStats
    running, waiting : int
        Requests over all models; ``waiting`` includes those that wait for a model to load.
    """

    models: list[ModelStats]
    running: int
    waiting: int


@dataclass(slots=True)
class RequestRecord:
    """One ended request, for metrics and the log.

    Attributes
    ----------
    request_id, model : str
    reason : str
        ``stop``, ``length``, ``tool_calls``, ``abort`` (the client went) or ``error``.
    error : str
        Code of the error.
    phase : "queued", "prefill" or "decode"
        Where an aborted or failed request was.
    prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens : int
        Of all choices; prompt tokens once.
    model_ns, queue_ns, prompt_ns, decode_ns, first_token_ns, total_ns : int
        From arrival until the model was there; waiting for a place; evaluating the prompt;
        generating; from arrival to the first token and to the end.
    gaps_ns : list of (int, int)
        Nanoseconds between deliveries of tokens and how many tokens came with each.
    truncated_messages, preemptions : int
    loops : int
        Answers that were cut off because they repeated themselves.
    arrived_ns : int
        ``time.perf_counter_ns()`` of the arrival.
    """

    request_id: str
    model: str
    reason: str = "abort"
    error: str = ""
    phase: Phase = "queued"
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    model_ns: int = 0
    queue_ns: int = 0
    prompt_ns: int = 0
    decode_ns: int = 0
    first_token_ns: int = 0
    total_ns: int = 0
    gaps_ns: list[tuple[int, int]] = field(default_factory=list)
    truncated_messages: int = 0
    preemptions: int = 0
    loops: int = 0
    arrived_ns: int = field(default_factory=time.perf_counter_ns)
