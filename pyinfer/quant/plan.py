"""Which format each tensor of a model is held in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pyinfer._kernels.formats import FILE_FORMATS
from pyinfer._kernels.tensor import panel_format
from pyinfer.errors import UsageError

FORMATS = ("f32", "f16", "bf16", "q8_0", "q4_0")
QUANTIZED = ("q8_0", "q4_0")
BLOCK_INPUTS = 32

# 8 bits keep the answers of the original weights (docs/PERFORMANCE.md, "Formats"); 4 bits are
# faster but a decision that belongs to the user.
FOLDER_DEFAULT = "q8_0"


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


def plan_folder(
    matrices: Mapping[str, tuple[str, int]],
    dtype: str | None,
    *,
    sensitive: Collection[str] = (),
    held: Mapping[str, str] | None = None,
) -> Plan:
    """Choose formats for a checkpoint of float weights.

    Parameters
    ----------
    matrices : Mapping[str, (str, int)]
        Tensor name -> (stored float format, inputs).
    dtype : str or None
        Wanted format, None for the default.
    sensitive : collection of str
        Tensors that are held in 8 bits when 4 are wanted: embedding and head.
    held : Mapping[str, str], optional
        Tensors that are quantized already -> the format that keeps their values: what they are held
        in unless ``dtype`` says otherwise.

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
        if dtype is None and held is not None and name in held:
            formats[name] = held[name]
            continue
        formats[name] = wanted
        # The first and the last matrix weigh most on quality: 4 bits there cost more than they
        # save (BitNet's measurement: +1.4 % perplexity against +0.2 % for 6 bits).
        if wanted == "q4_0" and name in sensitive:
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
    """Keep the values of a GGUF file, in the formats whose panels hold them exactly.

    Raises
    ------
    UsageError
        ``dtype`` differs from the format that most weights have: a quantized file is not
        quantized again.
    """
    stored = Counter(fmt for fmt, _ in matrices.values())
    most, _ = stored.most_common(1)[0]
    if dtype is not None and dtype != most:
        raise UsageError(
            f"dtype {dtype!r} for a GGUF file in {most}",
            hint="a GGUF file runs in its own formats; leave dtype out",
        )
    formats = {name: panel_format(fmt) for name, (fmt, _) in matrices.items()}
    notes = tuple(
        f"{count} matrices in {fmt} are held in {panel_format(fmt)}, the same values"
        for fmt, count in stored.items()
        if panel_format(fmt) != fmt
    )
    return Plan(formats, notes)


#: Names of files -> (llama.cpp's id of the mix, format of most matrices).
_MIXES: dict[str, tuple[int, str]] = {
    "f32": (0, "f32"),
    "f16": (1, "f16"),
    "bf16": (32, "bf16"),
    "q8_0": (7, "q8_0"),
    "q6_k": (18, "q6_k"),
    "q5_k_m": (17, "q5_k"),
    "q5_k_s": (16, "q5_k"),
    "q5_1": (9, "q5_1"),
    "q5_0": (8, "q5_0"),
    "q4_k_m": (15, "q4_k"),
    "q4_k_s": (14, "q4_k"),
    "q4_1": (3, "q4_1"),
    "q4_0": (2, "q4_0"),
    "q3_k_l": (13, "q3_k"),
    "q3_k_m": (12, "q3_k"),
    "q3_k_s": (11, "q3_k"),
    "q2_k": (10, "q2_k"),
}
MIXES = {name: mix for name, mix in _MIXES.items() if mix[1] in FILE_FORMATS}

#: Formats that a tensor of a file can be written in.
WRITES = tuple(dict.fromkeys(fmt for _, fmt in MIXES.values()))

_BLOCKS = {fmt: 256 if fmt.endswith("_k") else 32 for fmt in WRITES if fmt.startswith("q")}

# What a matrix becomes whose rows are no whole blocks, as llama.cpp chooses.
_FALLBACK = {"q2_k": "q4_0", "q3_k": "q4_0", "q4_k": "q5_0", "q5_k": "q5_1", "q6_k": "q8_0"}

GGUF_EMBEDDING = "token_embd.weight"
GGUF_HEAD = "output.weight"
_PER_LAYER = re.compile(r"blk\.(\d+)\.(\w+)\.weight")
_SEVENTY_B_LAYERS = 80


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


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What the mixes look at: layers, query heads per kv head, tied embeddings."""

    n_layers: int
    group_heads: int
    tied: bool


def plan_file(tensors: Mapping[str, tuple[int, ...]], rules: FileRules, model: ModelShape) -> Plan:
    """Choose the format of every tensor of a GGUF file.

    Mixes are those of llama.cpp (``src/llama-quant.cpp``), but q4_0 has embedding and head in
    q8_0, as a folder that is loaded with ``--dtype q4_0``.

    Parameters
    ----------
    tensors : Mapping[str, tuple of int]
        GGUF name -> row-major shape, in the order of the file.
    rules : FileRules
    model : ModelShape

    Returns
    -------
    Plan
        Vectors are f32, as llama.cpp writes and wants them.

    Raises
    ------
    UsageError
        A mix that cannot be written, or an override that fits no matrix.
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
        wanted = _mixed(name, shape[1], rules, model)
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


def _mixed(name: str, cols: int, rules: FileRules, model: ModelShape) -> str:
    base = MIXES[rules.mix][1]
    if rules.pure or base in ("f32", "f16", "bf16", "q8_0"):
        return base
    if name in (GGUF_EMBEDDING, GGUF_HEAD) and rules.mix == "q4_0":
        return "q8_0"
    if name == GGUF_HEAD or (name == GGUF_EMBEDDING and model.tied):
        return "q8_0" if cols % _BLOCKS[base] else "q6_k"
    found = _PER_LAYER.fullmatch(name)
    if found is None:
        return base
    layer, matrix = int(found[1]), found[2]
    if matrix == "attn_v":
        chosen = _attention_value(rules.mix, layer, model) or base
        # Many query heads share it there, so more bits cost little.
        grown = model.n_layers == _SEVENTY_B_LAYERS and chosen in ("q3_k", "q4_k")
        return "q5_k" if grown else chosen
    if matrix == "ffn_down":
        return _feed_forward_down(rules.mix, layer, model.n_layers) or base
    if matrix == "attn_output":
        return {"q2_k": "q3_k", "q3_k_m": "q4_k", "q3_k_l": "q5_k"}.get(rules.mix, base)
    return base


def _more_bits(layer: int, n_layers: int) -> bool:
    """The first and the last eighth of the layers, and every third between them."""
    eighth = n_layers // 8
    return layer < eighth or layer >= 7 * n_layers // 8 or (layer - eighth) % 3 == 2


def _attention_value(mix: str, layer: int, model: ModelShape) -> str | None:
    match mix:
        case "q2_k":
            return "q4_k" if model.group_heads >= 4 else "q3_k"
        case "q3_k_m":
            return "q5_k" if layer < 2 else "q4_k"
        case "q3_k_l":
            return "q5_k"
        case "q4_k_m" | "q5_k_m":
            return "q6_k" if _more_bits(layer, model.n_layers) else None
        case "q4_k_s":
            return "q5_k" if layer < 4 else None
    return None


def _feed_forward_down(mix: str, layer: int, n_layers: int) -> str | None:
    match mix:
        case "q2_k":
            return "q3_k"
        case "q3_k_m":
            return "q5_k" if layer < n_layers // 16 else "q4_k"
        case "q3_k_l":
            return "q5_k"
        case "q4_k_m" | "q5_k_m":
            return "q6_k" if _more_bits(layer, n_layers) else None
        case "q4_k_s":
            return "q5_k" if layer < n_layers // 8 else None
    return None


def _fitting(fmt: str, cols: int) -> str:
    if cols % _BLOCKS.get(fmt, 1):
        fmt = _FALLBACK.get(fmt, fmt)
    return "f16" if cols % _BLOCKS.get(fmt, 1) else fmt


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
    if fmt.lower() not in WRITES:
        raise UsageError(f"{fmt!r} cannot be written", hint=f"use one of: {', '.join(WRITES)}")
    try:
        return re.compile(pattern), fmt.lower()
    except re.error as error:
        raise UsageError(f"{pattern!r} is no regular expression: {error}") from None
