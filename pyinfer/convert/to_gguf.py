"""Checkpoint folder to GGUF, and the writing of any checkpoint as one GGUF file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pyinfer.checkpoint.checkpoint import Checkpoint, FolderTokenizer
from pyinfer.checkpoint.formats import FLOATS
from pyinfer.checkpoint.gguf_header import STRING
from pyinfer.convert.gguf_writer import GgufWriter, OutputTensor, Pair
from pyinfer.convert.model_pairs import architecture_pairs, general_pairs, sampling_pairs
from pyinfer.convert.output_file import check_target
from pyinfer.convert.rows import RowConverter
from pyinfer.convert.vocabulary_pairs import vocabulary_pairs
from pyinfer.machine import default_threads
from pyinfer.model.registry import architecture
from pyinfer.quant.plan import FileRules, ModelShape, Plan, plan_file

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes
    ----------
    path : Path
    n_bytes : int
        Of the file or of all files of the folder.
    counts : tuple of (str, int)
        Format -> tensors, most frequent first.
    bits_per_weight : float
    notes : tuple of str
        What had to differ from the request, a line each.
    """

    path: Path
    n_bytes: int
    counts: tuple[tuple[str, int], ...]
    bits_per_weight: float
    notes: tuple[str, ...]


def folder_to_gguf(
    checkpoint: Checkpoint,
    out: Path,
    rules: FileRules,
    *,
    name: str | None = None,
    force: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write a checkpoint folder as one GGUF file.

    Parameters
    ----------
    checkpoint : Checkpoint
        Of kind ``folder``; stays open.
    out : Path
        The file; it appears when it is whole.
    rules : FileRules
        Formats.
    name : str, optional
        ``general.name``; default: the folder's name.
    force : bool
        Replace an existing file.
    threads : int, optional
        Default: see :func:`pyinfer.machine.default_threads`.
    progress : callable, optional
        Called with (bytes written, bytes in all).

    Raises
    ------
    UsageError
        The formats are no choice, or ``out`` cannot be the target.
    ModelFormatError, ModelUnsupportedError
        Damaged weights, or a model that GGUF cannot express.
    StoreFullError, StoreIOError
        Reading or writing failed; nothing is left behind.
    """
    check_target(out, force)
    config, folder = checkpoint.config, checkpoint.path
    plan = plan_checkpoint(checkpoint, rules)
    n_parameters = sum(info.rows * info.cols for info in checkpoint.tensors.values())
    source = checkpoint.tokenizer_source()
    notes: tuple[str, ...] = ()
    if isinstance(source, FolderTokenizer):
        vocabulary = vocabulary_pairs(source.path, config.vocab_size)
    else:
        vocabulary = [Pair("tokenizer.ggml.model", STRING, "none")]
        notes = ("the folder has no tokenizer.json: the file serves token ids only",)
    pairs = [
        *general_pairs(folder, config, name or config.name, n_parameters, rules.mix),
        *sampling_pairs(checkpoint.generation),
        *architecture_pairs(folder, config),
        *vocabulary,
    ]
    written = write_gguf(
        checkpoint, out, pairs, plan, force=force, threads=threads, progress=progress
    )
    return replace(written, notes=written.notes + notes)


def stored_float(checkpoint: Checkpoint) -> str:
    """Return the float format that most matrices have; ``f32`` for quantized ones."""
    stored = [info.dtype for info in checkpoint.tensors.values() if len(info.shape) == 2]
    most = max(dict.fromkeys(stored), key=stored.count)
    return most if most in FLOATS else "f32"


def plan_checkpoint(checkpoint: Checkpoint, rules: FileRules) -> Plan:
    """Choose the formats of all tensors, under their GGUF names; see :func:`plan_file`."""
    config = checkpoint.config
    model = ModelShape(config.n_layers, config.n_heads // config.n_kv_heads, config.tie_embeddings)
    shapes = {checkpoint.gguf_name(name): info.shape for name, info in checkpoint.tensors.items()}
    return plan_file(shapes, rules, model)


def write_gguf(
    checkpoint: Checkpoint,
    out: Path,
    pairs: Sequence[Pair],
    plan: Plan,
    *,
    importance: Mapping[str, npt.NDArray[np.float32]] | None = None,
    fit: bool = False,
    force: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write all tensors of a checkpoint in the formats of a plan; parameters and errors as
    :func:`folder_to_gguf`. ``plan`` and ``importance`` have the GGUF names; see
    :class:`~pyinfer.convert.rows.RowConverter` for ``importance`` and ``fit``.
    """
    config = checkpoint.config
    found = architecture(config.architecture)
    divisors = found.write_rope(config)
    names = {checkpoint.gguf_name(name): name for name in checkpoint.tensors}
    extra = []
    if divisors is not None and found.rope_tensor is not None:
        extra.append(OutputTensor(found.rope_tensor, "f32", divisors.shape))
    tensors = [
        OutputTensor(stored, plan.formats[stored], checkpoint.tensors[name].shape)
        for stored, name in names.items()
    ]
    total = sum(tensor.n_bytes for tensor in tensors)  # small extras do not count
    done = 0
    with (
        GgufWriter(out, pairs, [*extra, *tensors], force=force) as writer,
        RowConverter(
            checkpoint,
            threads or default_threads().count,
            fit=fit,
            importance={names[stored]: means for stored, means in (importance or {}).items()},
        ) as rows,
    ):
        if divisors is not None:
            writer.write(divisors.data.cast("B"))
        for info, tensor in zip(checkpoint.tensors.values(), tensors, strict=True):
            head_dim = config.head_dim if found.tensors.is_interleaved(info.name) else 0
            for data in rows.slices(info, tensor.dtype, head_dim):
                writer.write(data.data)
                done += data.nbytes
                if progress is not None:
                    progress(done, total)
        n_bytes = writer.n_bytes
    n_weights = sum(info.rows * info.cols for info in checkpoint.tensors.values())
    kinds = [tensor.dtype for tensor in tensors]
    counts = sorted({(kind, kinds.count(kind)) for kind in kinds}, key=lambda c: (-c[1], c[0]))
    return Written(out, n_bytes, tuple(counts), 8 * total / n_weights, plan.notes)
