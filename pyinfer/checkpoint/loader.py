"""From a path to a model that steps: check, plan, compare memory, pack."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pyinfer._kernels.cache import FORMATS as KV_FORMATS
from pyinfer._kernels.runtime import ISAS, MAX_THREADS, Runtime, isa_choice
from pyinfer._kernels.step import attention_bytes
from pyinfer.checkpoint.checkpoint import Checkpoint, open_checkpoint
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.pack import Packer, arena_bytes, file_bytes
from pyinfer.checkpoint.packed_cache import PackedCache, default_folder
from pyinfer.checkpoint.packed_file import PackedFileError, PackedModel, PackedReader, write_packed
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.config import GenerationDefaults, ModelConfig
from pyinfer.errors import InsufficientMemoryError, UsageError
from pyinfer.machine import ThreadChoice, available_memory, default_threads
from pyinfer.model.model import Model, StepLimits, cache_block_bytes
from pyinfer.model.registry import architecture
from pyinfer.model.step import BLOCK_TOKENS
from pyinfer.model.tensors import EMBEDDING, HEAD
from pyinfer.quant.plan import Plan, plan_folder, plan_gguf

_LOG = logging.getLogger("pyinfer")

DEFAULT_CONTEXT = 32_768
MEMORY_SHARE = 0.8  # of the available memory, for a context chosen by default
MAX_POOL_CONTEXTS = 4  # sequences of full length that the cache pool holds, memory permitting
# Below this a second thread costs more at the barriers of a step than it saves.
SMALL_MODEL_BYTES = 8 << 20
_BASE_BYTES = 64 << 20  # step buffers of small models, tables, reads in flight

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory and what was decided on the way.

    Attributes
    ----------
    model : Model
    config : ModelConfig
    generation : GenerationDefaults
    formats : Mapping[str, str]
        Format of every matrix by its Hugging Face name.
    weights : int
        Bytes of the packed weights.
    report : tuple of str
        Lines for people: context, memory, threads and why, instruction set, format exceptions,
        packed cache.
    """

    model: Model
    config: ModelConfig
    generation: GenerationDefaults
    formats: Mapping[str, str]
    weights: int
    report: tuple[str, ...]


def load_model(
    path: str | Path,
    options: LoadOptions | None = None,
    *,
    progress: Progress | None = None,
    reserved: int = 0,
    max_logit_rows: int | None = None,
) -> LoadedModel:
    """Load a checkpoint folder or a GGUF file.

    Parameters
    ----------
    path : str or Path
    options : LoadOptions, optional
    progress : callable, optional
        Called with (bytes done, bytes in all) of the files.
    reserved : int
        Bytes of the available memory that others have been promised.
    max_logit_rows : int, optional
        So many sequences may be answered in one step, if that is more than the default.

    Raises
    ------
    ModelNotFoundError, ModelFormatError, ModelUnsupportedError, StoreIOError
        See :func:`pyinfer.checkpoint.checkpoint.open_checkpoint`.
    InsufficientMemoryError
        The model and its context need more memory than there is; names both numbers. Nothing has
        been allocated then.
    UsageError
        A value of ``options`` is no valid choice.
    """
    options = options or LoadOptions()
    choice = isa_choice(options.isa)  # a wrong name should not cost a header parse
    if choice.name == ISAS[-1] and not choice.asked:
        _LOG.warning("the kernels run in plain C, many times slower: %s", choice.reason)
    sizes = _Sizes(options, reserved, max_logit_rows)
    cache = _cache(options.packed_cache)
    key = None if cache is None else cache.key(Path(path), options.dtype)
    if cache is None or key is None:
        return _load_source(path, sizes, progress, None)
    with cache.open(key) as found:
        loaded = None if found is None else _load_packed(*found, sizes, progress)
    if loaded is not None:
        return loaded
    return _load_source(path, sizes, progress, (cache, key))


@dataclass(frozen=True, slots=True)
class _Sizes:
    """What the caller asked for besides the model."""

    options: LoadOptions
    reserved: int
    max_logit_rows: int | None

    def limits(
        self, config: ModelConfig, formats: dict[str, str], weights: int, threads: int
    ) -> StepLimits:
        """Context and cache that fit the memory."""
        kv_format = _kv_format(self.options.kv_type, formats, config)
        rows = max(StepLimits(1, 1).max_logit_rows, self.max_logit_rows or 0)
        available = available_memory() - self.reserved
        return _limits(config, weights, self.options.ctx_size, kv_format, threads, available, rows)

    def choice(self, weight_bytes: int) -> ThreadChoice:
        """How many threads, and why."""
        if self.options.threads is not None:
            return ThreadChoice(self.options.threads, "as asked")
        if weight_bytes <= SMALL_MODEL_BYTES:
            return ThreadChoice(1, "the model fits the caches of one core")
        return default_threads()


def _cache(choice: bool | str | Path) -> PackedCache | None:
    if choice is False:
        return None
    return PackedCache(default_folder() if choice is True else Path(choice))


def _load_source(
    path: str | Path,
    sizes: _Sizes,
    progress: Progress | None,
    target: tuple[PackedCache, str] | None,
) -> LoadedModel:
    """Pack the files of a model; write what was packed to ``target``."""
    with open_checkpoint(path) as checkpoint:
        config = checkpoint.config
        plan = _plan(checkpoint, sizes.options.dtype)
        formats = dict(plan.formats)
        nbytes = arena_bytes(checkpoint, formats)
        choice = sizes.choice(nbytes)
        limits = sizes.limits(config, formats, nbytes, choice.count)
        runtime = Runtime(sizes.options.isa, choice.count)
        total = file_bytes(checkpoint)

        def advance(done: int) -> None:
            if progress is not None:
                progress(done, total)

        packer = Packer(checkpoint, formats, runtime, advance)
        weights = architecture(config.architecture).build(config, packer.matrix, packer.vector)
        packer.run()
        notes = (*checkpoint.notes, *plan.notes)
        if target is not None:
            cache, key = target
            order = {name: formats[name] for name in packer.matrices}
            packed = PackedModel(key, config, checkpoint.generation, order, notes)

            def fill(fd: int) -> None:
                write_packed(fd, packed, runtime, packer.arena, packer.vectors)

            notes = (*notes, cache.write(key, packed.arena_bytes(), fill))
        model = Model(config, weights, runtime, limits)
        report = _report(model, formats, nbytes, choice.reason, notes)
        return LoadedModel(model, config, checkpoint.generation, formats, nbytes, report)


def _load_packed(
    file: SourceFile, packed: PackedModel, sums: str, sizes: _Sizes, progress: Progress | None
) -> LoadedModel | None:
    """Map a packed file; None if its weights are damaged."""
    config, nbytes = packed.config, packed.arena_bytes()
    choice = sizes.choice(nbytes)
    limits = sizes.limits(config, packed.formats, nbytes, choice.count)
    runtime = Runtime(sizes.options.isa, choice.count)
    try:
        reader = PackedReader(file, packed, sums, runtime)
        weights = architecture(config.architecture).build(config, reader.matrix, reader.vector)
    except PackedFileError:
        return None
    if progress is not None:
        progress(nbytes, nbytes)
    model = Model(config, weights, runtime, limits)
    if reader.arena.lost:  # cut short meanwhile
        model.close()
        return None
    model.check_weights = reader.check
    notes = (*packed.notes, f"packed cache: mapped from {file.path}")
    report = _report(model, packed.formats, nbytes, choice.reason, notes)
    return LoadedModel(model, config, packed.generation, packed.formats, nbytes, report)


def _plan(checkpoint: Checkpoint, dtype: str | None) -> Plan:
    matrices = {
        name: (info.dtype, info.shape[1])
        for name, info in checkpoint.tensors.items()
        if len(info.shape) == 2
    }
    if checkpoint.kind == "gguf":
        return plan_gguf(matrices, dtype)
    return plan_folder(matrices, dtype, sensitive=(EMBEDDING, HEAD), held=checkpoint.held)


def _limits(
    config: ModelConfig,
    weights: int,
    ctx_size: int | None,
    kv_format: str,
    threads: int,
    available: int,
    rows: int,
) -> StepLimits:
    """Choose the context and compare the memory it needs with what is available."""
    per_block = cache_block_bytes(kv_format, config)
    longest = min(config.max_position, DEFAULT_CONTEXT if ctx_size is None else max(1, ctx_size))
    fixed = weights + _step_bytes(config, longest, threads, rows)
    spare_blocks = int(max(0, available * MEMORY_SHARE - fixed) // per_block)
    if ctx_size is None:
        context = min(config.max_position, DEFAULT_CONTEXT, max(spare_blocks, 1) * BLOCK_TOKENS)
    elif 1 <= ctx_size <= config.max_position:
        context = ctx_size
    else:
        raise UsageError(
            f"a context of {ctx_size} tokens is outside 1 to {config.max_position}, "
            "the longest that this model knows"
        )
    blocks = -(-context // BLOCK_TOKENS)
    needed = fixed + blocks * per_block
    if needed > available:
        raise InsufficientMemoryError(
            f"{config.name} needs {_gb(needed)} ({_gb(weights)} weights, "
            f"{_gb(blocks * per_block)} for a context of {context} tokens), "
            f"{_gb(available)} are available",
            hint="use a smaller context (ctx_size), a smaller format (dtype, kv_type) or a smaller "
            "model",
        )
    pool = max(blocks, min(blocks * MAX_POOL_CONTEXTS, spare_blocks))
    return StepLimits(context=context, n_blocks=pool, kv_format=kv_format, max_logit_rows=rows)


def _kv_format(wanted: str | None, formats: dict[str, str], config: ModelConfig) -> str:
    """Keys and values in f16, whose rounding is far below that of quantized or 16-bit weights; who
    asks for f32 weights wants f32 results.
    """
    if wanted is None:
        return "f32" if set(formats.values()) == {"f32"} else "f16"
    if wanted not in KV_FORMATS:
        raise UsageError(f"kv_type {wanted!r} is unknown, expected {', '.join(KV_FORMATS)}")
    if wanted == "q8_0" and config.head_dim % 32:
        raise UsageError(
            f"kv_type q8_0 needs a head size that is a multiple of 32, that of {config.name} is "
            f"{config.head_dim}",
            hint="use f16",
        )
    return wanted


def _step_bytes(config: ModelConfig, context: int, threads: int, logit_rows: int) -> int:
    """Bound of the buffers of one step."""
    rows = StepLimits(1, 1).max_step_tokens
    widths = 3 * config.hidden_size + 4 * config.n_heads * config.head_dim
    widths += 3 * config.intermediate_size
    logits = logit_rows * config.vocab_size
    attention = attention_bytes(
        n_heads=config.n_heads,
        n_kv_heads=config.n_kv_heads,
        head_dim=config.head_dim,
        context=context,
        threads=min(max(threads, 1), MAX_THREADS),
    )
    return 4 * (rows * widths + logits) + attention + _BASE_BYTES


def _report(
    model: Model, formats: dict[str, str], weights: int, why_threads: str, notes: tuple[str, ...]
) -> tuple[str, ...]:
    limits = model.limits
    per_token = cache_block_bytes(limits.kv_format, model.config) / BLOCK_TOKENS
    used = sorted(set(formats.values()), key=list(formats.values()).count, reverse=True)
    return (
        f"weights: {_gb(weights)} in {', '.join(used)}",
        f"context: {limits.context} tokens, {per_token / 1024:.0f} KiB each in "
        f"{limits.kv_format}, "
        f"pool of {limits.n_blocks * BLOCK_TOKENS} tokens, committed on use",
        f"threads: {model.runtime.threads} ({why_threads})",
        f"instruction set: {model.runtime.isa} ({model.runtime.isa_reason})",
        f"memory walk: {model.tuned}",
        *notes,
    )


def _gb(nbytes: float) -> str:
    return f"{nbytes / 1e9:.2f} GB"


@dataclass(frozen=True, slots=True)
class ModelNeed:
    """What a model asks of the machine, from its headers alone.

    Attributes
    ----------
    config : ModelConfig
    formats : dict of str to str
        Format of every matrix in memory.
    weights : int
        Bytes of the packed weights.
    bytes_per_token : int
        Weight bytes that one decode step reads.
    kv_per_token : float
        Cache bytes of one token.
    memory : int
        Least bytes to load it, with a context of one cache block.
    """

    config: ModelConfig
    formats: dict[str, str]
    weights: int
    bytes_per_token: int
    kv_per_token: float
    memory: int


def model_need(path: str | Path, dtype: str | None = None) -> ModelNeed:
    """Compute what :func:`load_model` would need; nothing is allocated.

    Raises
    ------
    ModelNotFoundError, ModelFormatError, ModelUnsupportedError, StoreIOError, UsageError
        As :func:`load_model`.
    """
    with open_checkpoint(path) as checkpoint:
        formats = dict(_plan(checkpoint, dtype).formats)
        weights = arena_bytes(checkpoint, formats)
        read = formats
        if HEAD in formats:  # of a separate embedding one row is read
            read = {n: fmt for n, fmt in formats.items() if n != EMBEDDING}
        block = cache_block_bytes(_kv_format(None, formats, checkpoint.config), checkpoint.config)
        limits = StepLimits(1, BLOCK_TOKENS)
        rows, threads = limits.max_logit_rows, default_threads().count
        return ModelNeed(
            checkpoint.config,
            formats,
            weights,
            arena_bytes(checkpoint, read),
            block / BLOCK_TOKENS,
            weights + _step_bytes(checkpoint.config, BLOCK_TOKENS, threads, rows) + block,
        )
