"""The ops of a model graph. A ``Recorder`` collects them into a ``Program``; ``Eager`` runs each
at once. Both have the same methods, so one graph file serves both, with the same bits.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer._kernels.cache import KvCache
from pyinfer._kernels.runtime import CancelFlag, Runtime
from pyinfer._kernels.step import LogitsRow, StepState
from pyinfer._kernels.tensor import PackedTensor

class Buffer:
    """f32 rows (T, cols) between two ops."""

    id: int
    cols: int
    kept: bool
    """Whether it has only the rows that somebody reads."""

    def array(self) -> npt.NDArray[np.float32]:
        """The rows, float32 (max_rows, padded cols); ``Eager`` only."""

class Graph:
    """Ops of one step over a runtime, its shared buffers and the cache."""

    def __init__(self, runtime: Runtime, state: StepState, kv: KvCache) -> None: ...
    def embed(self, weight: PackedTensor) -> Buffer:
        """Rows of the embedding matrix (V, D) for the step's tokens: (T, D)."""

    def linear(
        self,
        x: Buffer,
        *weights: PackedTensor,
        norm: Any = None,
        eps: float = 0.0,
        bias: Sequence[Any] | None = None,
        residual: Buffer | None = None,
    ) -> Buffer:
        """``(rmsnorm(x) if norm else x) @ weights.T + bias + residual``.

        Outputs of several weights are stacked, each starting at a multiple of 16 columns.

        Parameters
        ----------
        x : Buffer (T, n)
        weights : PackedTensor (m, n)
            One to three.
        norm : float32 (n,), optional
            Weight of an RMSNorm applied to ``x`` first, with ``eps``.
        bias : sequence of float32 (m,), optional
            One per weight.
        residual : Buffer (T, columns of the output), optional
            May have all rows where ``x`` has the kept ones: those are added.

        Raises
        ------
        ValueError
            Shapes do not match.
        """

    def gate_up(
        self, x: Buffer, gate: PackedTensor, up: PackedTensor, norm: Any = None, eps: float = 0.0
    ) -> Buffer:
        """``silu(n @ gate.T) * (n @ up.T)`` with ``n = rmsnorm(x)``: (T, F)."""

    def attention(
        self,
        qkv: Buffer,
        layer: int,
        n_heads: int,
        keep: bool = False,
        q_norm: Any = None,
        k_norm: Any = None,
        eps: float = 0.0,
    ) -> Buffer:
        """Rotate q and k, append k and v to the cache of ``layer``, attend causally: (T, H K).

        ``q_norm`` and ``k_norm``, both float32 (K,) or both None, are the weights of an RMSNorm of
        every head in front of the rotation.

        With ``keep`` only for the rows whose results somebody reads (see
        :class:`pyinfer.model.step.Span`); ops on the result then work on these rows alone.
        """

    def head(self, x: Buffer, weight: PackedTensor, norm: Any, eps: float) -> None:
        """Final norm, logits of the wanted rows, candidates and log-sum-exp."""

class Recorder(Graph):
    def finish(self) -> Program:
        """Assign memory by liveness and return the program."""

class Program:
    """A recorded graph; one call runs all its ops with the GIL released."""

    def __len__(self) -> int: ...
    def limit_vocabulary(self, n_valid: int) -> None:
        """Ids from ``n_valid`` on are padding: no candidates, not in the log-sum-exp."""

    def head_input(self, row: int) -> npt.NDArray[np.float32]:
        """What the head saw of token ``row`` of the latest step, before its norm.

        Raises
        ------
        ValueError
            No such token, or its row was not kept.

        Returns
        -------
        float32 (n,)
            A view, valid until the next step; n is the width rounded up to groups of 128, zeros
            behind the width.
        """

    def run(self, spans: Any, cancel: CancelFlag | None = None) -> list[LogitsRow]:
        """Run one step.

        Parameters
        ----------
        spans : sequence of Span
            See :class:`pyinfer.model.step.Span`.
        cancel : CancelFlag, optional
            Polled between chunks of work.

        Returns
        -------
        list of LogitsRow
            One per wanted row, in span order.

        Raises
        ------
        CancelledError
            The flag was set; the step may be repeated.
        ValueError
            Token, position or block out of range, too many rows.
        EngineError
            Another thread is in a step, or the process is a fork of the one that loaded the model.
        """

class Eager(Graph):
    def begin(self, spans: Any) -> None:
        """Set the frame for the ops that follow."""

    def results(self) -> list[LogitsRow]:
        """Rows of the last :meth:`head`."""
