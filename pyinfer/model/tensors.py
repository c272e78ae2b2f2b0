"""Names and shapes of the tensors of a model, in Hugging Face folders and in GGUF files.

The Hugging Face names are the canonical ones inside this package.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from math import prod
from typing import Any

from pyinfer.config import ModelConfig

EMBEDDING = "model.embed_tokens.weight"
HEAD = "lm_head.weight"
FINAL_NORM = "model.norm.weight"

# No leading zeros and ASCII digits only: each layer has exactly one spelling.
_GGUF_LAYER = re.compile(r"blk\.(0|[1-9][0-9]{0,8})\.(.+)")
_HF_LAYER = re.compile(r"model\.layers\.(0|[1-9][0-9]{0,8})\.(.+)")

# Buffers that old versions of transformers saved; they follow from the config.
_HARMLESS = re.compile(r"model\.(?:layers\.[0-9]+\.self_attn\.)?rotary_emb\.inv_freq")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One kind of tensor.

    Attributes
    ----------
    hf, gguf : str
        Its names; of a layer's tensor the part behind the layer's number.
    shape : tuple of str
        One entry per dimension: letters whose product is the size, so ``("HK", "D")`` is a matrix
        of H * K rows and D columns. D width, F feed-forward width, H query heads, G kv heads, K
        head size, V vocabulary.
    interleaved : bool
        Rows of each head stand in another order in a GGUF file, made for a rotation of neighbours:
        row i of the first half, row i of the second half, and so on.
    """

    hf: str
    gguf: str
    shape: tuple[str, ...]
    interleaved: bool = False


def tensor(hf: str, gguf: str, *shape: str, interleaved: bool = False) -> Any:
    """Declare a weight: the default value of a field in the dataclass of a layer.

    Parameters
    ----------
    hf, gguf, shape, interleaved
        As the attributes of :class:`Tensor`.
    """
    return field(metadata={"tensor": Tensor(hf, gguf, shape, interleaved)})


def declared(layer: type[Any]) -> dict[str, Tensor]:
    """Return what the dataclass of a layer declares: field -> tensor, in its order."""
    return {one.name: one.metadata["tensor"] for one in fields(layer)}


_BEFORE = (Tensor(EMBEDDING, "token_embd.weight", ("V", "D")),)
_BEHIND = (
    Tensor(FINAL_NORM, "output_norm.weight", ("D",)),
    Tensor(HEAD, "output.weight", ("V", "D")),
)


class TensorTable:
    """All tensors of an architecture: embedding, layers, final norm and head.

    Parameters
    ----------
    layer : type
        The dataclass of a layer, its fields declared with :func:`tensor` in the order of the graph.
    """

    def __init__(self, layer: type[Any]) -> None:
        self._layer = tuple(declared(layer).values())
        outer = (*_BEFORE, *_BEHIND)
        self._outer_hf = {one.gguf: one.hf for one in outer}
        self._outer_gguf = {one.hf: one.gguf for one in outer}
        self._inner_hf = {one.gguf: one.hf for one in self._layer}
        self._inner_gguf = {one.hf: one.gguf for one in self._layer}
        self._interleaved = {one.hf for one in self._layer if one.interleaved}

    def hf_name(self, gguf_name: str) -> str | None:
        """Return the Hugging Face name of a GGUF tensor, or None if the table has none."""
        match = _GGUF_LAYER.fullmatch(gguf_name)
        if match is None:
            return self._outer_hf.get(gguf_name)
        inner = self._inner_hf.get(match[2])
        return None if inner is None else f"{layer_prefix(int(match[1]))}{inner}"

    def gguf_name(self, hf_name: str) -> str | None:
        """Return the GGUF name of a Hugging Face tensor, or None if the table has none."""
        match = _HF_LAYER.fullmatch(hf_name)
        if match is None:
            return self._outer_gguf.get(hf_name)
        inner = self._inner_gguf.get(match[2])
        return None if inner is None else f"blk.{match[1]}.{inner}"

    def is_interleaved(self, hf_name: str) -> bool:
        """Whether the rows of a tensor have another order in a GGUF file; see :class:`Tensor`."""
        match = _HF_LAYER.fullmatch(hf_name)
        return match is not None and match[2] in self._interleaved

    def shapes(self, config: ModelConfig) -> dict[str, tuple[int, ...]]:
        """Return every tensor that a model needs, with its shape.

        Returns
        -------
        dict
            Canonical name -> (rows, cols) or (n,), in the order of the graph. The head is absent
            if the embeddings are tied.
        """
        sizes = {
            "D": config.hidden_size,
            "F": config.intermediate_size,
            "H": config.n_heads,
            "G": config.n_kv_heads,
            "K": config.head_dim,
            "V": config.vocab_size,
        }

        def shape(one: Tensor) -> tuple[int, ...]:
            return tuple(prod(sizes[letter] for letter in letters) for letters in one.shape)

        layer = {one.hf: shape(one) for one in self._layer}
        shapes = {one.hf: shape(one) for one in _BEFORE}
        for index in range(config.n_layers):
            prefix = layer_prefix(index)
            shapes |= {f"{prefix}{name}": size for name, size in layer.items()}
        shapes |= {one.hf: shape(one) for one in _BEHIND}
        if config.tie_embeddings:
            del shapes[HEAD]
        return shapes


def layer_prefix(index: int) -> str:
    """Return what stands in front of the Hugging Face names of one layer."""
    return f"model.layers.{index}."


def is_harmless(hf_name: str) -> bool:
    """Whether a tensor outside the expected ones may be ignored."""
    return _HARMLESS.fullmatch(hf_name) is not None
