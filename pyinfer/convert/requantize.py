"""GGUF to GGUF in other formats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyinfer.checkpoint.checkpoint import Checkpoint
from pyinfer.checkpoint.formats import FLOATS
from pyinfer.checkpoint.gguf_header import STRING, UINT32
from pyinfer.checkpoint.gguf_shards import open_gguf
from pyinfer.convert.gguf_writer import Pair, metadata_pairs
from pyinfer.convert.model_pairs import file_type_pairs
from pyinfer.convert.output_file import check_target
from pyinfer.convert.to_gguf import Progress, Written, plan_checkpoint, write_gguf
from pyinfer.errors import UsageError
from pyinfer.eval.importance_file import Means, check_inputs, read_importance
from pyinfer.quant.plan import FileRules, Plan

# Of the source only: the result is one file, and says itself how it was made.
_DROPPED = ("split.", "quantize.imatrix.")


def requantize(
    checkpoint: Checkpoint,
    out: Path,
    rules: FileRules,
    *,
    imatrix: Path | None = None,
    fit: bool = False,
    allow_quantized: bool = False,
    force: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write a GGUF file with its tensors in other formats; all other metadata is kept.

    Parameters
    ----------
    checkpoint : Checkpoint
        Of kind ``gguf``; stays open.
    out : Path
        The file; it appears when it is whole.
    rules : FileRules
        Formats.
    imatrix : Path, optional
        Importance of the inputs: what an error of each counts.
    fit : bool
        Search for the scales of q4_0 with the least squared error instead of taking ggml's.
    allow_quantized : bool
        Also quantize what is quantized already, which adds the errors of both.
    force, threads, progress
        As :func:`~pyinfer.convert.to_gguf.folder_to_gguf`, with the same errors.

    Raises
    ------
    UsageError
        Besides those: a tensor is quantized already.
    ModelFormatError
        Besides those: the importance matrix is damaged or of another model.
    """
    check_target(out, force)
    plan = plan_checkpoint(checkpoint, rules)
    if not allow_quantized:
        _check_source(checkpoint, plan)
    importance: Means | None = None
    if imatrix is not None:
        importance = read_importance(imatrix)
        inputs = {
            checkpoint.gguf_name(n): t.cols for n, t in checkpoint.tensors.items() if t.rows > 1
        }
        check_inputs(imatrix, importance, inputs)
    parts = open_gguf(checkpoint.path)
    for part in parts:
        part.close()
    pairs = _changed(
        metadata_pairs(parts[0]), [*file_type_pairs(rules.mix), *_origin(imatrix, importance)]
    )
    return write_gguf(
        checkpoint,
        out,
        pairs,
        plan,
        importance=importance,
        fit=fit,
        force=force,
        threads=threads,
        progress=progress,
    )


def _check_source(checkpoint: Checkpoint, plan: Plan) -> None:
    for name, info in checkpoint.tensors.items():
        stored = checkpoint.gguf_name(name)
        target = plan.formats[stored]
        if info.dtype not in FLOATS and info.dtype != target:
            raise UsageError(
                f"tensor {stored!r} is {info.dtype} already, and {target} would add a "
                "second rounding",
                hint="start from an f32, f16 or bf16 file, or say --allow-requantize",
            )


def _origin(imatrix: Path | None, importance: Mapping[str, Any] | None) -> list[Pair]:
    if imatrix is None or importance is None:
        return []
    return [
        Pair("quantize.imatrix.file", STRING, imatrix.name),
        Pair("quantize.imatrix.entries_count", UINT32, len(importance)),
    ]


def _changed(pairs: list[Pair], changes: list[Pair]) -> list[Pair]:
    """Metadata with some keys replaced in place, new ones at the end."""
    new = {pair.key: pair for pair in changes}
    kept = [new.pop(p.key, p) for p in pairs if not p.key.startswith(_DROPPED)]
    return [*kept, *new.values()]
