"""From a path or a name to a language model that is ready to use."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyinfer._kernels.runtime import CancelFlag
from pyinfer.checkpoint.checkpoint import FolderTokenizer, open_checkpoint
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import LoadedModel, Progress, load_model
from pyinfer.config import GenerationDefaults, ModelConfig
from pyinfer.engine.engine import Engine
from pyinfer.engine.hooks import HookFactory
from pyinfer.engine.worker import EngineWorker
from pyinfer.errors import ModelFormatError
from pyinfer.llm import LLM
from pyinfer.model.model import Model
from pyinfer.model_info import ModelInfo
from pyinfer.requests.preset import Preset
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.store.resolve import ResolvedModel, resolve_model
from pyinfer.text.tokenizer import Tokenizer


def load(
    path: str | Path | ResolvedModel | None = None,
    dtype: str | None = None,
    threads: int | None = None,
    ctx_size: int | None = None,
    isa: str | None = None,
    kv_type: str | None = None,
    progress: Progress | None = None,
    packed_cache: bool | str | Path = False,
    tokenizer: bool = True,
    pre: str | None = None,
) -> LLM:
    """Load a model.

    Parameters
    ----------
    path : str or Path, optional
        A Hugging Face folder or a GGUF file, or the name of a model on this machine (see
        :func:`pyinfer.store.resolve.resolve_model`); None is the small embedded model.
    dtype : str, optional
        Format of the weights of a folder: ``q4_0``, ``q8_0``, ``f16``, ``bf16`` or ``f32``; default
        ``q8_0``. A GGUF file keeps its own.
    threads : int, optional
        Default: what the CPU affinity, the CPU quota and the physical cores allow.
    ctx_size : int, optional
        Most tokens of prompt and answer together. Default: what the model's file sets
        (``num_ctx``), else the model's own limit, at most 32,768, at most what fits the memory.
    isa : str, optional
        Highest instruction set to use, such as ``avx2``. Default: the best one of this CPU.
    kv_type : str, optional
        Format of cached keys and values: ``f16`` (default), ``f32`` (default for f32 weights) or
        ``q8_0``, which halves their memory.
    progress : callable, optional
        Called with (bytes done, bytes in all).
    packed_cache : bool, str or Path
        True keeps the packed weights in ``$XDG_CACHE_HOME/pyinfer/packed`` (a path: in that
        folder). The first load writes the file, later ones map it: they are ready almost at once,
        and processes share its memory. Damaged or outdated files are written anew.
    tokenizer : bool
        False does without the tokenizer, which takes longer to build than packed weights to map.
        Only token ids go in and come out then, and rows that pad the vocabulary may be sampled.
    pre : str, optional
        How text is cut into words, such as ``qwen2``, instead of ``tokenizer.ggml.pre`` of a GGUF
        file that lacks it or names it wrongly.

    Returns
    -------
    LLM
        To be closed, best by a ``with`` block.

    Raises
    ------
    ModelNotFoundError, ModelFormatError, ModelUnsupportedError, StoreIOError
        Nothing there, damaged, not supported, or not readable.
    InsufficientMemoryError
        The model and its context do not fit the available memory.
    UsageError, UnsupportedCPUError
        ``dtype``, ``threads``, ``ctx_size``, ``isa`` or ``kv_type`` is wrong.

    Examples
    --------
    >>> import pyinfer
    >>> with pyinfer.load(dtype="q4_0", threads=1, ctx_size=512) as llm:
    ...     llm.info.context, llm.info.threads
    (512, 1)
    """
    resolved = resolve_model(DEMO_FOLDER if path is None else path)
    preset = Preset.of(resolved)
    if ctx_size is None and preset.context is not None:
        with open_checkpoint(resolved.path) as checkpoint:
            ctx_size = min(preset.context, checkpoint.config.max_position)
    options = LoadOptions(
        dtype=dtype,
        threads=threads,
        ctx_size=ctx_size,
        isa=isa,
        kv_type=kv_type,
        packed_cache=packed_cache,
        pre=pre,
    )
    parts = load_parts(resolved, options, tokenizer=tokenizer, progress=progress)
    return LLM(parts.model, parts.tokenizer, parts.defaults, parts.info, CancelFlag(), preset)


@dataclass(frozen=True, slots=True)
class ModelParts:
    """A loaded model before an engine runs it.

    Attributes
    ----------
    model : Model
    tokenizer : Tokenizer or None
    defaults : GenerationDefaults
        Sampling defaults of the weights' files, and end tokens of all files.
    info : ModelInfo
    """

    model: Model
    tokenizer: Tokenizer | None
    defaults: GenerationDefaults
    info: ModelInfo


def load_parts(
    resolved: ResolvedModel,
    options: LoadOptions,
    *,
    tokenizer: bool = True,
    progress: Progress | None = None,
    reserved: int = 0,
    max_logit_rows: int | None = None,
) -> ModelParts:
    """Load weights and tokenizer at the same time.

    Parameters
    ----------
    resolved : ResolvedModel
    tokenizer : bool
    options, progress, reserved, max_logit_rows
        As :func:`pyinfer.checkpoint.loader.load_model`; the errors are the same.
    """
    source = resolved.path
    started = time.perf_counter_ns()
    with resolved.reading(), ThreadPoolExecutor(1, "pyinfer-tokenizer") as pool:
        reading = pool.submit(read_tokenizer, source, options.pre) if tokenizer else None
        loaded = load_model(
            source, options, progress=progress, reserved=reserved, max_logit_rows=max_logit_rows
        )
        load_ns = time.perf_counter_ns() - started
        try:
            built, tokenizer_ns = reading.result() if reading is not None else (None, 0)
            if built is not None:
                loaded.model.n_valid = _valid_ids(built, loaded.config)
        except BaseException:
            loaded.model.close()
            raise
    return _assemble(loaded, resolved, built, load_ns, tokenizer_ns)


def start_worker(
    parts: ModelParts,
    hook_factory: HookFactory,
    after_events: Callable[[], None] | None = None,
    on_failure: Callable[[BaseException], object] | None = None,
    **engine_options: Any,
) -> EngineWorker:
    """Start the engine's thread on a loaded model, for callers that speak in token ids.

    Parameters
    ----------
    parts : ModelParts
    hook_factory, **engine_options
        As for :class:`~pyinfer.engine.engine.Engine`.
    after_events, on_failure
        As for :class:`~pyinfer.engine.worker.EngineWorker`.
    """
    cancel = CancelFlag()
    engine = Engine(
        parts.model,
        parts.defaults,
        context=parts.info.context,
        cancel=cancel,
        hook_factory=hook_factory,
        **engine_options,
    )
    return EngineWorker(engine, cancel, after_events, on_failure)


def _assemble(
    loaded: LoadedModel,
    resolved: ResolvedModel,
    tokenizer: Tokenizer | None,
    load_ns: int,
    tokenizer_ns: int,
) -> ModelParts:
    model = loaded.model
    # End tokens are whatever any of the files names.
    ends = set(loaded.generation.eos_token_ids)
    if tokenizer is not None:
        ends.update(tokenizer.eos_ids)
    info = ModelInfo(
        name=loaded.config.name if resolved.source == "path" else resolved.name,
        config=loaded.config,
        context=model.limits.context,
        threads=model.runtime.threads,
        isa=model.runtime.isa,
        bytes_per_token=model.bytes_per_token,
        weights_bytes=loaded.weights,
        load_ns=load_ns,
        tokenizer_ns=tokenizer_ns,
        report=(*loaded.report, *(() if tokenizer is None else tokenizer.notes)),
    )
    defaults = replace(loaded.generation, eos_token_ids=tuple(sorted(ends)))
    return ModelParts(model, tokenizer, defaults, info)


def read_tokenizer(path: str | Path, pre: str | None = None) -> tuple[Tokenizer | None, int]:
    """The tokenizer of a model, if it has one, and the nanoseconds it took.

    ``pre`` replaces ``tokenizer.ggml.pre`` of a GGUF file.
    """
    started = time.perf_counter_ns()
    with open_checkpoint(path) as checkpoint:
        source = checkpoint.tokenizer_source()
        if source is None:
            return None, 0
        if isinstance(source, FolderTokenizer):
            tokenizer = Tokenizer.from_folder(source.path)
        else:
            named = {} if pre is None else {"tokenizer.ggml.pre": pre}
            tokenizer = Tokenizer.from_gguf({**source.metadata, **named})
    return tokenizer, time.perf_counter_ns() - started


def _valid_ids(tokenizer: Tokenizer, config: ModelConfig) -> int:
    """How many token ids may be sampled: rows beyond the tokenizer's are padding."""
    if tokenizer.n_tokens > config.vocab_size:
        raise ModelFormatError(
            f"the tokenizer has {tokenizer.n_tokens} tokens, the model's vocabulary "
            f"{config.vocab_size}",
            hint="tokenizer and weights belong to different models",
        )
    return tokenizer.n_tokens
