"""What an architecture tells the rest of the package about itself.

One subclass per file of this folder (``qwen2.py`` first), one instance of each in
:mod:`pyinfer.model.registry`. This class holds what all of them share: a decoder-only transformer
with an embedding, blocks of attention and gated feed-forward on a residual stream, a final norm
and a head. Letters: T tokens, D width, F feed-forward width, H query heads, G kv heads, K head
size, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from pyinfer.config import FrequencyDivisors, Llama3Scaling, ModelConfig
from pyinfer.config_fields import Fields
from pyinfer.errors import ModelUnsupportedError
from pyinfer.model.gguf_config import Value, read_gguf, write_gguf
from pyinfer.model.hf_config import read_hf, write_hf
from pyinfer.model.rope import inverse_frequencies, llama3_divisors
from pyinfer.model.tensors import (
    EMBEDDING,
    FINAL_NORM,
    HEAD,
    TensorTable,
    declared,
    layer_prefix,
)

if TYPE_CHECKING:
    from pyinfer._kernels.graph import Buffer, Graph
    from pyinfer._kernels.tensor import PackedTensor as Matrix

Vector = npt.NDArray[np.float32]


class FeedForward(Protocol):
    """The weights of a block that are no architecture's own."""

    @property
    def mlp_norm(self) -> Vector: ...  # (D,)
    @property
    def gate(self) -> Matrix: ...  # (F, D)
    @property
    def up(self) -> Matrix: ...  # (F, D)
    @property
    def down(self) -> Matrix: ...  # (D, F)


L = TypeVar("L", bound=FeedForward)


@dataclass(frozen=True, slots=True)
class Weights(Generic[L]):
    """All weights; ``head`` is ``embedding`` when the two are tied."""

    embedding: Matrix  # (V, D)
    layers: Sequence[L]
    norm: Vector  # (D,)
    head: Matrix  # (V, D)


class Architecture(ABC, Generic[L]):
    """One architecture: how its files are read and written, and its graph.

    Attributes
    ----------
    name : str
        ``model_type`` of a folder and ``general.architecture`` of a GGUF file.
    hf_class : str
        The class of transformers.
    layer : type
        Dataclass of the weights of one block; its fields are declared with
        :func:`~pyinfer.model.tensors.tensor` in the order in which the graph reads them.
    tensors : TensorTable
        Names and shapes of all weights.
    rope_tensor : str or None
        The tensor of a GGUF file that holds a divisor for each rotary frequency, if this
        architecture has one.
    """

    name: ClassVar[str]
    hf_class: ClassVar[str]
    layer: type[L]
    rope_tensor: ClassVar[str | None] = None

    def __init__(self) -> None:
        self.tensors = TensorTable(self.layer)
        self._declared = declared(self.layer)

    # Files.

    def read_hf(self, fields: Fields, *, name: str) -> ModelConfig:
        """Read ``config.json``; errors as :func:`~pyinfer.model.hf_config.read_hf`."""
        return read_hf(fields, architecture=self.name, hf_class=self.hf_class, name=name)

    def read_gguf(
        self,
        metadata: Mapping[str, Any],
        *,
        vocab_rows: int | None = None,
        tie_embeddings: bool = False,
        name: str = "",
    ) -> ModelConfig:
        """Read GGUF metadata; parameters and errors as
        :func:`~pyinfer.model.gguf_config.read_gguf`.
        """
        return read_gguf(
            metadata,
            architecture=self.name,
            vocab_rows=vocab_rows,
            tie_embeddings=tie_embeddings,
            name=name,
        )

    def write_hf(self, config: ModelConfig, *, context: int) -> dict[str, Any]:
        """Return the object of ``config.json``; see :func:`~pyinfer.model.hf_config.write_hf`."""
        return write_hf(config, hf_class=self.hf_class, context=context)

    def write_gguf(self, config: ModelConfig, *, context: int) -> dict[str, Value]:
        """Return the metadata; see :func:`~pyinfer.model.gguf_config.write_gguf`."""
        if isinstance(config.rope_scaling, Llama3Scaling) and self.rope_tensor is None:
            raise ModelUnsupportedError(
                f"a {self.name} file in GGUF cannot express the rotary scaling llama3"
            )
        return write_gguf(config, context=context)

    def write_rope(self, config: ModelConfig) -> Vector | None:
        """Return the contents of :attr:`rope_tensor`, float32 (K / 2,); None if none is needed."""
        match config.rope_scaling:
            case FrequencyDivisors(values):
                return np.array(values, np.float32)
            case Llama3Scaling() as scaling:
                plain = inverse_frequencies(replace(config, rope_scaling=None))
                return llama3_divisors(plain, scaling).astype(np.float32)
        return None

    # Graph.

    def build(
        self,
        config: ModelConfig,
        matrix: Callable[[str], Matrix],
        vector: Callable[[str], Vector],
    ) -> Weights[L]:
        """Collect the weights by their Hugging Face names, in the order in which they are read."""

        def layer(index: int) -> L:
            prefix = layer_prefix(index)
            return self.layer(
                **{
                    field: (matrix if len(one.shape) == 2 else vector)(prefix + one.hf)
                    for field, one in self._declared.items()
                }
            )

        embedding = matrix(EMBEDDING)
        layers = [layer(index) for index in range(config.n_layers)]
        head = embedding if config.tie_embeddings else matrix(HEAD)
        return Weights(embedding, layers, vector(FINAL_NORM), head)

    def forward(self, p: Graph, w: Weights[L], config: ModelConfig) -> None:
        """One step: tokens in the frame of ``p`` to logits.

        The same function is recorded into a program or run eagerly, op by op; see
        :mod:`pyinfer._kernels.graph`.
        """
        x = p.embed(w.embedding)  # (T, D)
        for i, layer in enumerate(w.layers):
            x = self.block(p, layer, i, x, config, keep=layer is w.layers[-1])
        p.head(x, w.head, w.norm, config.rms_norm_eps)

    @abstractmethod
    def block(
        self, p: Graph, w: L, index: int, x: Buffer, config: ModelConfig, *, keep: bool
    ) -> Buffer:
        """Attention and feed-forward, each on a normed input and added to the residual stream.

        ``keep`` leaves out the rows that nobody reads: behind the last layer's keys and values
        they change nothing.
        """

    def final_norm(self, w: Weights[L]) -> Vector:
        """Weights of the norm in front of the head, (D,)."""
        return w.norm

    def weight_sample(self, p: Graph, w: Weights[L], config: ModelConfig, nbytes: int) -> int:
        """Feed-forward parts until ``nbytes`` of weights are read: what the tuner times.

        Returns the bytes read.
        """
        x, done, eps = p.embed(w.embedding), 0, config.rms_norm_eps
        for layer in w.layers:
            if done >= nbytes:
                break
            hidden = p.gate_up(x, layer.gate, layer.up, norm=layer.mlp_norm, eps=eps)
            x = p.linear(hidden, layer.down, residual=x)
            done += layer.gate.nbytes + layer.up.nbytes + layer.down.nbytes
        return done

    def bytes_per_token(self, w: Weights[L]) -> int:
        """Weight bytes that one decode step reads; of an untied embedding a single row."""
        matrices = [field for field, one in self._declared.items() if len(one.shape) == 2]
        inner = sum(getattr(layer, field).nbytes for layer in w.layers for field in matrices)
        return int(inner + w.head.nbytes)
