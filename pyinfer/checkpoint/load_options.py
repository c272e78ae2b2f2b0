"""How a model is loaded: what the library, the server and every command may choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """Choices of who loads a model; None is the default.

    Attributes
    ----------
    dtype : str, optional
        Format of the weights of a folder: ``q4_0``, ``q8_0``, ``f16``, ``bf16`` or ``f32``; default
        ``q8_0``. A GGUF file keeps its own.
    threads : int, optional
        Default: what the CPU affinity, the CPU quota and the physical cores allow (see
        :func:`pyinfer.machine.default_threads`).
    ctx_size : int, optional
        Most tokens of prompt and answer together. Default: the model's own limit, at most 32,768,
        at most what fits the memory.
    isa : str, optional
        Highest instruction set to use, such as ``avx2``. Default: the best one of this CPU.
    kv_type : str, optional
        Format of cached keys and values: ``f16`` (default), ``f32`` (default for f32 weights) or
        ``q8_0``, which halves their memory and needs a head size that is a multiple of 32.
    packed_cache : bool, str or Path
        Keep the packed weights in a file and map it the next time: True in the default folder, a
        path in that one. See :mod:`pyinfer.checkpoint.packed_cache`.
    pre : str, optional
        How text is cut into words, instead of ``tokenizer.ggml.pre`` of a GGUF file that lacks it
        or names it wrongly.
    """

    dtype: str | None = None
    threads: int | None = None
    ctx_size: int | None = None
    isa: str | None = None
    kv_type: str | None = None
    packed_cache: bool | str | Path = False
    pre: str | None = None
