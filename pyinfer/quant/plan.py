"""Which format each tensor of a model is held in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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


#: Names of files -> (llama.cpp's id of the mix, format of most matrices).
MIXES: dict[str, tuple[int, str]] = {
    "f32": (0, "f32"),
    "f16": (1, "f16"),
    "bf16": (32, "bf16"),
    "q8_0": (7, "q8_0"),
    "q4_0": (2, "q4_0"),
}

# What a matrix becomes whose rows are no multiple of the block.
_NARROWER = {"q4_0": "f16", "q8_0": "f16"}

GGUF_EMBEDDING = "token_embd.weight"
GGUF_HEAD = "output.weight"


@dataclass(frozen=True, slots=True)
class FileRules:
    """How a file is to be written.

    Attributes
    ----------
    mix : str
        A key of :data:`MIXES`.
    overrides : sequence of (pattern, str)
        Regular expression searched in the GGUF name -> format; the first that is found wins over
        the mix.
    pure : bool
        Every matrix in the format of most of them.
    """

    mix: str
    overrides: Sequence[tuple[re.Pattern[str], str]] = ()
    pure: bool = False


def plan_file(tensors: Mapping[str, tuple[int, ...]], rules: FileRules) -> Plan:
    """Choose the format of every tensor of a GGUF file.

    Parameters
    ----------
    tensors : Mapping[str, tuple of int]
        GGUF name -> row-major shape, in the order of the file.
    rules : FileRules

    Returns
    -------
    Plan
        Vectors are f32, as llama.cpp writes and wants them.

    Raises
    ------
    UsageError
        A format or mix that cannot be written, or an override that fits no matrix.
    """
    if rules.mix not in MIXES:
        raise UsageError(f"{rules.mix!r} cannot be written", hint=f"use one of: {', '.join(MIXES)}")
    used: set[str] = set()
    formats: dict[str, str] = {}
    notes: list[str] = []
    for name, shape in tensors.items():
        if len(shape) == 1:
            formats[name] = "f32"
            continue
        wanted = _mixed(name, rules)
        for pattern, fmt in rules.overrides:
            if pattern.search(name):
                used.add(pattern.pattern)
                wanted = fmt
                break
        formats[name] = _fitting(wanted, shape[1])
        if formats[name] != wanted:
            notes.append(
                f"{name} is {formats[name]}: rows of {shape[1]} are no whole {wanted} blocks"
            )
    for pattern, _ in rules.overrides:
        if pattern.pattern not in used:
            raise UsageError(
                f"no matrix is called {pattern.pattern!r}",
                hint=f"names are like {GGUF_EMBEDDING}, blk.0.attn_q.weight, blk.0.ffn_down.weight",
            )
    return Plan(formats, tuple(notes))


def _mixed(name: str, rules: FileRules) -> str:
    base = MIXES[rules.mix][1]
    if rules.pure:
        return base
    # As a folder that is loaded with --dtype q4_0.
    return "q8_0" if base == "q4_0" and name in (GGUF_EMBEDDING, GGUF_HEAD) else base


def _fitting(fmt: str, cols: int) -> str:
    while cols % BLOCKS.get(fmt, 1):
        fmt = _NARROWER[fmt]
    return fmt


#: Values per block of the formats whose rows must be whole blocks.
BLOCKS = {"q4_0": 32, "q8_0": 32}


def parse_override(text: str) -> tuple[re.Pattern[str], str]:
    """Read ``REGEX=FORMAT``.

    Raises
    ------
    UsageError
        No ``=``, a pattern that is no regular expression, or a format that cannot be written.
    """
    pattern, equals, fmt = text.rpartition("=")
    if not equals or not pattern:
        raise UsageError(f"{text!r} is not REGEX=FORMAT", hint="such as ffn_down=q8_0")
    if fmt.lower() not in FORMATS:
        raise UsageError(f"{fmt!r} cannot be written", hint=f"use one of: {', '.join(FORMATS)}")
    try:
        return re.compile(pattern), fmt.lower()
    except re.error as error:
        raise UsageError(f"{pattern!r} is no regular expression: {error}") from None
