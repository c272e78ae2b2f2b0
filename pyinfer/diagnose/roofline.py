"""The least time that a step can take: what it must read and multiply, over what the machine can.

The model is the roofline (Williams, Waterman, Patterson 2009): a step is bound by memory or by the
multipliers, whichever takes longer. Weights are read once per step, the cache once per sequence;
activations, norms and sampling count as nothing, so the limit is never too low.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from pyinfer._kernels.formats import format_info
from pyinfer.config import ModelConfig
from pyinfer.diagnose.limits import Limits
from pyinfer.model.registry import architecture
from pyinfer.model.tensors import EMBEDDING, HEAD


@dataclass(frozen=True, slots=True)
class Workload:
    """What one model costs.

    Attributes
    ----------
    weight_bytes : int
        Read by every step.
    kv_bytes : float
        Cache bytes of one token over all layers.
    body_int8, body_f32 : int
        Multiply-adds per token of the layers' matrices, by the multiplier that they use.
    head_int8, head_f32 : int
        Multiply-adds per wanted row of logits.
    attention : int
        f32 multiply-adds per pair of a query and a cached token.
    """

    weight_bytes: int
    kv_bytes: float
    body_int8: int
    body_f32: int
    head_int8: int
    head_f32: int
    attention: int

    def step_seconds(self, limits: Limits, tokens: int, depth: int, sequences: int = 1) -> float:
        """Least seconds of one step.

        Parameters
        ----------
        limits : Limits
        tokens : int
            Tokens of each sequence.
        depth : int
            Cached tokens of each sequence before the step.
        sequences : int
            Sequences in the step; one row of logits each.
        """
        rows = sequences * tokens
        pairs = rows * depth + sequences * tokens * (tokens + 1) // 2
        int8 = self.body_int8 * rows + self.head_int8 * sequences
        f32 = self.body_f32 * rows + self.head_f32 * sequences + self.attention * pairs
        multiply = 2 * (int8 / limits.int8 + f32 / limits.f32)
        n_bytes = self.weight_bytes + self.kv_bytes * sequences * (depth + tokens)
        return max(multiply, n_bytes / limits.read)

    def prompt_seconds(
        self, limits: Limits, tokens: int, depth: int, sequences: int, chunk: int
    ) -> float:
        """Least seconds for a prompt evaluated in steps of ``chunk`` tokens per sequence."""
        return sum(
            self.step_seconds(limits, min(chunk, tokens - first), depth + first, sequences)
            for first in range(0, tokens, chunk)
        )

    def decode_seconds(self, limits: Limits, tokens: int, depth: int, sequences: int) -> float:
        """Least seconds for ``tokens`` steps of one token per sequence."""
        return sum(self.step_seconds(limits, 1, depth + i, sequences) for i in range(tokens))


def workload(
    config: ModelConfig, formats: Mapping[str, str], weight_bytes: int, kv_bytes: float
) -> Workload:
    """Count the multiply-adds of a model.

    Parameters
    ----------
    config : ModelConfig
    formats : Mapping[str, str]
        Format of every matrix by its Hugging Face name.
    weight_bytes : int
        Weight bytes that one step reads.
    kv_bytes : float
        Cache bytes of one token.
    """
    counts = {"body_int8": 0, "body_f32": 0, "head_int8": 0, "head_f32": 0}
    head = HEAD if HEAD in formats else EMBEDDING
    for name, (rows, cols) in matrix_shapes(config).items():
        if name == EMBEDDING and name != head:
            continue
        part = "head" if name == head else "body"
        kind = "int8" if format_info(formats[name]).quantized else "f32"
        counts[f"{part}_{kind}"] += rows * cols
    return Workload(
        weight_bytes=weight_bytes,
        kv_bytes=kv_bytes,
        attention=2 * config.n_layers * config.n_heads * config.head_dim,
        **counts,
    )


def matrix_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Rows and inputs of every matrix by its Hugging Face name."""
    shapes = architecture(config.architecture).tensors.shapes(config)
    return {name: shape for name, shape in shapes.items() if len(shape) == 2}


def parameter_count(config: ModelConfig) -> int:
    """Weights of a model, biases and norms included."""
    return sum(prod(x) for x in architecture(config.architecture).tensors.shapes(config).values())
