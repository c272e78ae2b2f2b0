"""Which format each tensor of a model is held in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyinfer.errors import UsageError

FORMATS = ("f32", "f16", "bf16", "q8_0", "q4_0")
QUANTIZED = ("q8_0", "q4_0")
BLOCK_INPUTS = 32

# 8 bits keep the answers of the original weights (docs/PERFORMANCE.md, "Formats"); 4 bits are
# faster but a decision that belongs to the user.
FOLDER_DEFAULT = "q8_0"

_EMBEDDING = "model.embed_tokens.weight"
_HEAD = "lm_head.weight"


@dataclass(frozen=True, slots=True)
class Plan:
    """Target format per matrix, and what had to differ from the request.

    Attributes
    ----------
    formats : Mapping[str, str]
        Tensor name -> format token.
    notes : tuple of str
        One line per exception, for the load report.
    """

    formats: Mapping[str, str]
    notes: tuple[str, ...]


def plan_folder(matrices: Mapping[str, tuple[str, int]], dtype: str | None) -> Plan:
    """Choose formats for a checkpoint of float weights.

    Parameters
    ----------
    matrices : Mapping[str, (str, int)]
        Tensor name -> (stored float format, inputs).
    dtype : str or None
        Wanted format, None for the default.

    Raises
    ------
    UsageError
        ``dtype`` is no format that runs.
    """
    wanted = FOLDER_DEFAULT if dtype is None else dtype
    if wanted not in FORMATS:
        raise UsageError(f"dtype {wanted!r} does not run", hint=f"use one of: {', '.join(FORMATS)}")
    formats: dict[str, str] = {}
    kept: dict[int, str] = {}
    for name, (stored, cols) in matrices.items():
        formats[name] = wanted
        # The first and the last matrix weigh most on quality: 4 bits there cost more than they
        # save (BitNet's measurement: +1.4 % perplexity against +0.2 % for 6 bits).
        if wanted == "q4_0" and name in (_EMBEDDING, _HEAD):
            formats[name] = "q8_0"
        if formats[name] in QUANTIZED and cols % BLOCK_INPUTS:
            formats[name] = stored
            kept[cols] = stored
    notes = tuple(
        f"matrices of {cols} inputs stay in {stored}: no multiple of the {BLOCK_INPUTS} of a block"
        for cols, stored in kept.items()
    )
    return Plan(formats, notes)


def plan_gguf(matrices: Mapping[str, tuple[str, int]], dtype: str | None) -> Plan:
    """Keep the formats of a GGUF file.

    Raises
    ------
    UsageError
        ``dtype`` differs from the format that most weights have: a quantized file is not
        quantized again.
    """
    formats = {name: stored for name, (stored, _) in matrices.items()}
    counts = sorted(formats.values(), key=list(formats.values()).count)
    if dtype is not None and dtype != counts[-1]:
        raise UsageError(
            f"dtype {dtype!r} for a GGUF file in {counts[-1]}",
            hint="a GGUF file runs in its own formats; leave dtype out",
        )
    return Plan(formats, ())
