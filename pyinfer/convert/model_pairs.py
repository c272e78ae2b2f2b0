"""The configuration of a folder as GGUF metadata."""

from __future__ import annotations

import re
from pathlib import Path

from pyinfer.checkpoint.gguf_header import BOOL, FLOAT32, INT32, STRING, UINT32
from pyinfer.checkpoint.json_file import read_json_object
from pyinfer.checkpoint.limits import MAX_CONFIG_BYTES
from pyinfer.config import GGUF_SAMPLING, GenerationDefaults, ModelConfig
from pyinfer.convert.gguf_writer import Pair
from pyinfer.model.registry import architecture
from pyinfer.quant.plan import MIXES

QUANTIZATION_VERSION = 2  # of the block formats, as every writer since 2023 says

_KINDS = {int: UINT32, float: FLOAT32, str: STRING, bool: BOOL}
_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
_MAX_CARD_BYTES = 1 << 20


def general_pairs(
    folder: Path, config: ModelConfig, name: str, n_parameters: int, mix: str
) -> list[Pair]:
    """Return the ``general.*`` keys.

    Parameters
    ----------
    folder : Path
        Its card (README.md) is asked for a licence.
    config : ModelConfig
    name : str
        Name of the model for people.
    n_parameters : int
        Weights in all.
    mix : str
        A key of :data:`~pyinfer.quant.plan.MIXES`.
    """
    pairs = [
        Pair("general.architecture", STRING, config.architecture),
        Pair("general.type", STRING, "model"),
        Pair("general.name", STRING, name),
        Pair("general.size_label", STRING, size_label(n_parameters)),
    ]
    licence = _licence(folder / "README.md")
    if licence:
        pairs.append(Pair("general.license", STRING, licence))
    return [*pairs, *file_type_pairs(mix)]


def file_type_pairs(mix: str) -> list[Pair]:
    """Return the keys that say how the tensors are stored."""
    return [
        Pair("general.file_type", UINT32, MIXES[mix][0]),
        Pair("general.quantization_version", UINT32, QUANTIZATION_VERSION),
    ]


def size_label(n_parameters: int) -> str:
    """Return a count of weights as people say it.

    Examples
    --------
    >>> size_label(1_777_088_000), size_label(3_412_480), size_label(24)
    ('1.8B', '3.4M', '24')
    """
    for unit, suffix in _SUFFIXES:
        if n_parameters >= unit:
            value = n_parameters / unit
            return (f"{value:.1f}" if value < 10 else f"{value:.0f}") + suffix
    return str(n_parameters)


def _licence(card: Path) -> str:
    """The licence in the front matter of a model card, or nothing."""
    if not card.is_file() or card.stat().st_size > _MAX_CARD_BYTES:
        return ""
    front = re.match(r"---\n(.*?)\n---", card.read_text("utf-8", "replace"), re.DOTALL)
    found = re.search(r"^license:\s*([\w.+-]+)\s*$", front[1], re.MULTILINE) if front else None
    return found[1] if found else ""


def architecture_pairs(folder: Path, config: ModelConfig) -> list[Pair]:
    """Return the keys of the hyper-parameters, such as ``qwen2.block_count``.

    Raises
    ------
    ModelUnsupportedError
        A rotary scaling that GGUF cannot express.
    """
    data = read_json_object(folder / "config.json", MAX_CONFIG_BYTES)
    context = int(data["max_position_embeddings"])
    values = architecture(config.architecture).write_gguf(config, context=context)
    return [Pair(key, _KINDS[type(value)], value) for key, value in values.items()]


def sampling_pairs(generation: GenerationDefaults) -> list[Pair]:
    """Return the ``general.sampling.*`` keys of what the folder states."""
    stated = [
        (key, getattr(generation, name))
        for name, key in GGUF_SAMPLING.items()
        if name in generation.stated
    ]
    return [Pair(key, INT32 if isinstance(v, int) else FLOAT32, v) for key, v in stated]
