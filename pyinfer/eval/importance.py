"""How strongly each input of each matrix is used: mean squares of the activations.

An error in a weight changes the output in proportion to the input that it is multiplied with, so a
quantizer should be most exact where inputs are large. The statistics are llama.cpp's importance
matrix ("imatrix").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer._kernels.graph import Buffer, Eager
from pyinfer.config import ModelConfig
from pyinfer.errors import NumericError
from pyinfer.eval.windows import Tokens
from pyinfer.model.model import Model
from pyinfer.model.registry import architecture
from pyinfer.model.step import BLOCK_TOKENS, LOGITS_ALL, LOGITS_NONE, Span

Sums = npt.NDArray[np.float64]


@dataclass(slots=True)
class Importance:
    """Sums over all tokens seen.

    Attributes
    ----------
    squares : dict
        GGUF name of a matrix -> float64 (inputs,), sums of the squared inputs.
    tokens : int
        How many tokens were summed.
    """

    squares: dict[str, Sums] = field(default_factory=dict)
    tokens: int = 0

    def means(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the mean squares, float32 (inputs,)."""
        return {name: (v / self.tokens).astype(np.float32) for name, v in self.squares.items()}


class _Names:
    """Takes the place of a graph whose weights are their names: which matrices share an input."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def embed(self, weight: str) -> None:
        pass

    def linear(self, x: None, *weights: str, **_: Any) -> None:
        self.calls.append(weights)

    def gate_up(self, x: None, gate: str, up: str, **_: Any) -> None:
        self.calls.append((gate, up))

    def attention(self, *_: Any, **__: Any) -> None:
        pass

    def head(self, x: None, weight: str, *_: Any) -> None:
        self.calls.append((weight,))


def matrices_by_input(config: ModelConfig) -> list[tuple[str, ...]]:
    """Return the GGUF names of the matrices of each multiplication, in the order of the graph."""
    graph = architecture(config.architecture)
    names: Any = _Names()
    own: Callable[[str], Any] = str
    graph.forward(names, graph.build(config, own, own), config)
    stored = graph.tensors.gguf_name
    return [tuple(stored(name) or name for name in call) for call in names.calls]


class _Watch:
    """An eager graph that shows the input of every multiplication before it runs."""

    def __init__(
        self, inner: Eager, rows: int, show: Callable[[npt.NDArray[np.float32]], None]
    ) -> None:
        self._inner = inner
        self._rows = rows
        self._show = show

    def embed(self, weight: Any) -> Buffer:
        return self._inner.embed(weight)

    def linear(
        self, x: Buffer, *weights: Any, norm: Any = None, eps: float = 0.0, **rest: Any
    ) -> Buffer:
        self._see(x, norm, eps)
        return self._inner.linear(x, *weights, norm=norm, eps=eps, **rest)

    def gate_up(self, x: Buffer, gate: Any, up: Any, norm: Any = None, eps: float = 0.0) -> Buffer:
        self._see(x, norm, eps)
        return self._inner.gate_up(x, gate, up, norm=norm, eps=eps)

    def attention(self, qkv: Buffer, layer: int, *rest: Any, **more: Any) -> Buffer:
        return self._inner.attention(qkv, layer, *rest, **more)

    def head(self, x: Buffer, weight: Any, norm: Any, eps: float) -> None:
        self._see(x, norm, eps)
        self._inner.head(x, weight, norm, eps)

    def _see(self, x: Buffer, norm: Any, eps: float) -> None:
        rows = x.array()[: self._rows, : x.cols]
        if norm is not None:
            # The op normalizes on its own; what it multiplies with is never in a buffer.
            mean = np.mean(rows * rows, axis=1, dtype=np.float64, keepdims=True)
            rows = (rows / np.sqrt(mean + eps) * np.asarray(norm)).astype(np.float32)
        self._show(rows)


def collect(
    model: Model,
    windows: Sequence[Tokens],
    *,
    with_head: bool = False,
    report: Callable[[int], None] | None = None,
) -> Importance:
    """Evaluate texts and sum the squared inputs of every matrix.

    Parameters
    ----------
    model : Model
        With room for the longest window.
    windows : sequence of int32 (T,)
        Each evaluated from an empty context.
    with_head : bool
        Also for the output matrix, which is sensitive and usually kept in a finer format.
    report : callable, optional
        Called after each window with the number of windows done.

    Raises
    ------
    NumericError
        NaN or infinity in the activations.
    """
    found = Importance()
    calls = matrices_by_input(model.config)
    for done, tokens in enumerate(windows, 1):
        blocks = np.arange(-(-len(tokens) // BLOCK_TOKENS), dtype=np.int32)
        for start in range(0, len(tokens), model.max_step_tokens):
            part = tokens[start : start + model.max_step_tokens]
            span = Span(part, start, blocks, LOGITS_NONE, keep=LOGITS_ALL)
            _add(model, span, calls, found)
        if report is not None:
            report(done)
    if not with_head:
        found.squares.pop("output.weight", None)
        found.squares.pop("token_embd.weight", None)  # the head of tied embeddings
    return found


def _add(model: Model, span: Span, calls: list[tuple[str, ...]], found: Importance) -> None:
    order = iter(calls)

    def show(rows: npt.NDArray[np.float32]) -> None:
        sums = np.einsum("tc,tc->c", rows, rows, dtype=np.float64)
        names = next(order)
        if not np.isfinite(sums).all():
            raise NumericError(f"NaN or infinity in the input of {names[0]}")
        for name in names:
            found.squares[name] = found.squares.get(name, 0.0) + sums

    model.step_eager([span], lambda graph: _Watch(graph, len(span.tokens), show))
    found.tokens += len(span.tokens)
