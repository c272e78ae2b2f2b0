"""A loaded model: packed weights, cache memory and the program that runs one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer._kernels.cache import KvCache, block_bytes
from pyinfer._kernels.graph import Eager, Recorder
from pyinfer._kernels.kernels import Kernels
from pyinfer._kernels.runtime import CancelFlag, Runtime
from pyinfer._kernels.step import LogitsRow, StepState
from pyinfer.config import ModelConfig
from pyinfer.model.registry import architecture
from pyinfer.model.rope import attention_factor, inverse_frequencies
from pyinfer.model.step import BLOCK_TOKENS, LOGITS_ALL, Span
from pyinfer.model.tuner import SAMPLE_BYTES, Tuned, tune


@dataclass(frozen=True, slots=True)
class StepLimits:
    """Sizes fixed at load.

    Attributes
    ----------
    context : int
        Most tokens of one sequence.
    n_blocks : int
        64-token blocks of the cache pool.
    kv_format : str
        Format of cached keys and values: ``"f16"`` or ``"f32"``.
    max_step_tokens : int
        Most tokens of one step.
    max_logit_rows : int
        Most tokens of one step whose logits are wanted.
    n_candidates : int
        Best ids kept per row.
    """

    context: int
    n_blocks: int
    kv_format: str = "f16"
    max_step_tokens: int = 512
    max_logit_rows: int = 32
    n_candidates: int = 128


class Model:
    """One model in memory, ready to step. Used by one thread at a time.

    Attributes
    ----------
    config : ModelConfig
    limits : StepLimits
    runtime : Runtime
    bytes_per_token : int
        Weight bytes that one decode step reads (the embedding counts only when tied).
    tuned : Tuned
        How decode walks the weights.
    """

    block_tokens = BLOCK_TOKENS
    #: Raises if the weights are no longer whole; set by who mapped them from a file.
    check_weights: Callable[[], None] = staticmethod(lambda: None)

    def __init__(
        self, config: ModelConfig, weights: Any, runtime: Runtime, limits: StepLimits
    ) -> None:
        self.config = config
        self.limits = limits
        self.runtime = runtime
        self._weights = weights
        self._graph = architecture(config.architecture)
        self._kv = KvCache(
            limits.kv_format, config.n_layers, limits.n_blocks, config.n_kv_heads, config.head_dim
        )
        self._kernels = Kernels(runtime.isa)
        self._state = self._new_state()
        recorder = Recorder(runtime, self._state, self._kv)
        self._graph.forward(recorder, weights, config)
        self._program = recorder.finish()
        self.n_valid = config.vocab_size
        self.bytes_per_token: int = self._graph.bytes_per_token(weights)
        self.tuned = self._tune()

    def _new_state(self) -> StepState:
        config, limits = self.config, self.limits
        return StepState(
            max_rows=limits.max_step_tokens,
            max_logit_rows=limits.max_logit_rows,
            max_inputs=max(
                config.hidden_size, config.intermediate_size, config.n_heads * config.head_dim
            ),
            vocab=config.vocab_size,
            n_candidates=limits.n_candidates,
            n_blocks=limits.n_blocks,
            context=limits.context,
            group_heads=config.n_heads // config.n_kv_heads,
            head_dim=config.head_dim,
            threads=self.runtime.threads,
            inverse_frequency=inverse_frequencies(config),
            attention_factor=attention_factor(config),
        )

    def _tune(self) -> Tuned:
        if self.bytes_per_token < SAMPLE_BYTES:
            return tune(self.runtime, None, 0)
        recorder = Recorder(self.runtime, self._state, self._kv)
        read = self._graph.weight_sample(recorder, self._weights, self.config, SAMPLE_BYTES)
        return tune(self.runtime, recorder.finish(), read)

    @property
    def n_blocks(self) -> int:
        """Blocks of the cache pool."""
        return self.limits.n_blocks

    @property
    def cache_bytes(self) -> int:
        """Memory of the whole cache pool, committed as it is used."""
        return self.limits.n_blocks * cache_block_bytes(self.limits.kv_format, self.config)

    @property
    def max_step_tokens(self) -> int:
        """Most tokens of one step."""
        return self.limits.max_step_tokens

    @property
    def max_logit_rows(self) -> int:
        """Most tokens of one step whose logits are wanted."""
        return self.limits.max_logit_rows

    @property
    def n_valid(self) -> int:
        """Ids from here on are padding rows of the vocabulary and never candidates."""
        return self._n_valid

    @n_valid.setter
    def n_valid(self, value: int) -> None:
        if not 1 <= value <= self.config.vocab_size:
            raise ValueError(f"{value} valid ids of {self.config.vocab_size}")
        self._n_valid = value
        self._program.limit_vocabulary(value)

    def step(self, spans: Sequence[Span], cancel: CancelFlag | None = None) -> list[LogitsRow]:
        """Run one step over the spans of one or more sequences.

        Parameters
        ----------
        spans : sequence of Span
            At most ``max_step_tokens`` tokens in all.
        cancel : CancelFlag, optional
            Stops the step between chunks of work.

        Returns
        -------
        list of LogitsRow
            One per wanted row, in span order; views, valid until the next step.

        Raises
        ------
        CancelledError
            The flag was set. The step may be repeated as it is.
        ValueError
            A token, position or block is out of range.
        StoreIOError
            The weights are mapped from a file that somebody has changed.
        """
        rows = self._program.run(spans, cancel)
        self.check_weights()
        return rows

    def hidden(self, row: int) -> npt.NDArray[np.float32]:
        """The final hidden state of one token of the latest step, after the last norm.

        Parameters
        ----------
        row : int
            Counts the tokens of all spans of that step, in their order; its logits were wanted, or
            its span said ``keep``.

        Returns
        -------
        float32 (D,)
            The same bits whatever else the step computed.

        Raises
        ------
        ValueError
            The last layer left this row out.
        """
        x = self._program.head_input(row)
        weights = self._graph.final_norm(self._weights)
        padded = np.zeros_like(x)
        padded[: len(weights)] = weights
        eps = self.config.rms_norm_eps
        return self._kernels.rmsnorm(x, padded, eps, len(weights))[: len(weights)]

    def copy_block(self, source: int, target: int) -> None:
        """Copy the keys and values of one cache block over another one."""
        self._kv.copy_block(source, target)

    def step_eager(
        self, spans: Sequence[Span], watch: Callable[[Eager], Any] | None = None
    ) -> list[LogitsRow]:
        """As :meth:`step`, op by op from Python: for tests and for looking inside.

        ``watch`` may put something with the same ops around the graph.
        """
        state = self._new_state()
        state.n_valid = self._n_valid
        graph = Eager(self.runtime, state, self._kv)
        graph.begin(spans)
        ops = graph if watch is None else watch(graph)
        self._graph.forward(ops, self._weights, self.config)
        return graph.results()

    def logits(
        self, token_ids: npt.ArrayLike, blocks: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.float32]:
        """Logits of every position of one sequence.

        Parameters
        ----------
        token_ids : int (T,)
            At least one token.
        blocks : int32 (ceil(T / 64),)
            Cache blocks to use.

        Returns
        -------
        float32 (T, V)
            Padding rows of the vocabulary included.
        """
        tokens = np.asarray(token_ids, dtype=np.int32)
        out = np.empty((len(tokens), self.config.vocab_size), dtype=np.float32)
        chunk = min(self.limits.max_logit_rows, self.limits.max_step_tokens)
        for start in range(0, len(tokens), chunk):
            part = tokens[start : start + chunk]
            rows = self.step([Span(part, start, blocks, LOGITS_ALL)])
            for i, row in enumerate(rows):
                out[start + i] = row.full
        return out

    def close(self) -> None:
        """Give back threads and memory. The model cannot be used afterwards."""
        for name in ("_program", "_state", "_kv", "_weights", "runtime"):
            if hasattr(self, name):
                delattr(self, name)


def cache_block_bytes(kv_format: str, config: ModelConfig) -> int:
    """Bytes of one 64-token cache block over all layers."""
    return block_bytes(kv_format, config.n_layers, config.n_kv_heads, config.head_dim)
