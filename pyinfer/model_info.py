"""What was loaded and how it runs."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfer.config import ModelConfig


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What was loaded and how it runs.

    Attributes
    ----------
    name : str
    config : ModelConfig
    context : int
        Most tokens of prompt and answer together.
    threads : int
    isa : str
        Instruction set level of the kernels.
    bytes_per_token : int
        Weight bytes read for one generated token.
    weights_bytes : int
        Bytes of all weights in memory.
    load_ns, tokenizer_ns : int
        Nanoseconds to load the model and, in parallel, the tokenizer.
    report : tuple of str
        Lines for people: memory, context, threads and why, instruction set.
    """

    name: str
    config: ModelConfig
    context: int
    threads: int
    isa: str
    bytes_per_token: int
    weights_bytes: int
    load_ns: int
    tokenizer_ns: int
    report: tuple[str, ...]
