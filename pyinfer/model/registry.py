"""The architectures that run, and which one a file is of.

Whoever needs something particular to an architecture (names of tensors, keys of a file, the graph)
asks here and never spells it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyinfer.config import ModelConfig
from pyinfer.config_fields import Fields, show
from pyinfer.errors import ModelUnsupportedError
from pyinfer.model.architecture import Architecture
from pyinfer.model.llama import Llama
from pyinfer.model.qwen2 import Qwen2
from pyinfer.model.qwen3 import Qwen3

ARCHITECTURES: dict[str, Architecture[Any]] = {one.name: one for one in (Llama(), Qwen2(), Qwen3())}


def architecture(name: str) -> Architecture[Any]:
    """Return an architecture by ``model_type``, ``general.architecture`` or a config's own name.

    Raises
    ------
    ModelUnsupportedError
        There is none of that name.
    """
    return _find(name, "architecture")


def read_hf_config(data: Mapping[str, Any], *, name: str = "") -> ModelConfig:
    """Read the object of a Hugging Face ``config.json``.

    Parameters
    ----------
    data : Mapping[str, object]
        The parsed file.
    name : str
        For messages; empty takes the architecture's.

    Raises
    ------
    ModelFormatError
        A value is missing, of a wrong type, out of range or contradicts another.
    ModelUnsupportedError
        The model is of another architecture, or uses a feature that is not supported.
    """
    fields = Fields(data, "config.json")
    found = _find(fields.text("model_type"), "config.json: model_type")
    return found.read_hf(fields, name=name or found.name)


def gguf_architecture(metadata: Mapping[str, Any]) -> Architecture[Any]:
    """Return the architecture of a GGUF file.

    Raises
    ------
    ModelFormatError
        The file names none.
    ModelUnsupportedError
        It does not run.
    """
    key = "general.architecture"
    return _find(Fields(metadata, "GGUF metadata").text(key), key)


def read_gguf_config(
    metadata: Mapping[str, Any],
    *,
    vocab_rows: int | None = None,
    tie_embeddings: bool = False,
    name: str = "",
) -> ModelConfig:
    """Read the metadata of a GGUF file.

    Parameters
    ----------
    metadata : Mapping[str, object]
        Keys such as ``qwen2.embedding_length``.
    vocab_rows : int, optional
        Rows of ``token_embd.weight``. None takes the key ``vocab_size`` or the token list.
    tie_embeddings : bool
        True for a file without ``output.weight``.
    name : str
        For messages; empty takes ``general.name``.

    Raises
    ------
    ModelFormatError, ModelUnsupportedError
        As :func:`read_hf_config`.
    """
    return gguf_architecture(metadata).read_gguf(
        metadata, vocab_rows=vocab_rows, tie_embeddings=tie_embeddings, name=name
    )


def _find(name: str, where: str) -> Architecture[Any]:
    if name not in ARCHITECTURES:
        raise ModelUnsupportedError(
            f"{where} is {show(name)}, which does not run",
            hint=f"what runs: {', '.join(ARCHITECTURES)} (such as DeepSeek-R1-Distill-Qwen)",
        )
    return ARCHITECTURES[name]
