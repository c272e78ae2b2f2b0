"""Single ops on all threads, all model shapes: ``python -m pytest bench/bench_ops.py``.

Each case is a program of one op, or of one whole layer, over weights of one layer in q4_0; the
embedding in front of it reads one row. One token reads the weights once, 512 tokens multiply.
Without timing (``--benchmark-disable``) only the smallest shape runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.rates import random_rows, record
from bench.shapes import SHAPES, Shape
from pyinfer._kernels.cache import KvCache
from pyinfer._kernels.graph import Program, Recorder
from pyinfer._kernels.runtime import Runtime
from pyinfer._kernels.step import StepState
from pyinfer._kernels.tensor import Arena, PackedTensor, packed_bytes
from pyinfer.model.step import BLOCK_TOKENS, LOGITS_NONE, Span

FORMAT = "q4_0"
VOCABULARY = 256
PROMPT = 512
DEPTH = 256  # tokens in the cache before the one that is timed
EPS = 1e-6


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one layer and what reads them."""

    shape: Shape
    runtime: Runtime
    matrices: dict[str, PackedTensor]
    norm: np.ndarray

    def program(self, build: Callable[[Recorder, Layer], object]) -> Program:
        """Record the ops of one case."""
        shape, blocks = self.shape, (DEPTH + PROMPT) // BLOCK_TOKENS + 1
        state = StepState(
            max_rows=PROMPT,
            max_logit_rows=1,
            max_inputs=max(shape.F, shape.D),
            vocab=VOCABULARY,
            n_candidates=8,
            n_blocks=blocks,
            context=blocks * BLOCK_TOKENS,
            group_heads=shape.H // shape.G,
            head_dim=shape.K,
            threads=self.runtime.threads,
            inverse_frequency=1e4 ** (-np.arange(0, shape.K, 2) / shape.K),
            attention_factor=1.0,
        )
        recorder = Recorder(self.runtime, state, KvCache("f16", 1, blocks, shape.G, shape.K))
        build(recorder, self)
        return recorder.finish()


def _qkv(p: Recorder, w: Layer) -> object:
    m = w.matrices
    return p.linear(p.embed(m["embedding"]), m["q"], m["k"], m["v"], norm=w.norm, eps=EPS)


def _o(p: Recorder, w: Layer) -> object:
    x = p.embed(w.matrices["embedding"])
    return p.linear(x, w.matrices["o"], residual=x)


def _gate_up(p: Recorder, w: Layer) -> object:
    m = w.matrices
    return p.gate_up(p.embed(m["embedding"]), m["gate"], m["up"], norm=w.norm, eps=EPS)


def _mlp(p: Recorder, w: Layer) -> object:
    m = w.matrices
    x = p.embed(m["embedding"])
    hidden = p.gate_up(x, m["gate"], m["up"], norm=w.norm, eps=EPS)
    return p.linear(hidden, m["down"], residual=x)


def _layer(p: Recorder, w: Layer) -> object:
    m = w.matrices
    x = p.embed(m["embedding"])
    qkv = p.linear(x, m["q"], m["k"], m["v"], norm=w.norm, eps=EPS)
    x = p.linear(p.attention(qkv, 0, w.shape.H), m["o"], residual=x)
    hidden = p.gate_up(x, m["gate"], m["up"], norm=w.norm, eps=EPS)
    return p.linear(hidden, m["down"], residual=x)


# Op -> its recorder and the matrices that it reads.
OPS: dict[str, tuple[Callable[[Recorder, Layer], object], tuple[str, ...]]] = {
    "qkv": (_qkv, ("q", "k", "v")),
    "o": (_o, ("o",)),
    "gate_up": (_gate_up, ("gate", "up")),
    "mlp": (_mlp, ("gate", "up", "down")),
    "layer": (_layer, ("q", "k", "v", "o", "gate", "up", "down")),
}


@cache
def _random_rows(cols: int) -> np.ndarray:
    return random_rows(FORMAT, 256, cols)


def _packed(runtime: Runtime, rows: int, cols: int) -> PackedTensor:
    tensor = PackedTensor(Arena(packed_bytes(FORMAT, rows, cols)), FORMAT, rows, cols)
    data = _random_rows(cols)
    for first in range(0, rows, 256):
        part = data[: min(256, rows - first)]
        tensor.pack(runtime, first, np.ascontiguousarray(part).ravel(), FORMAT)
    return tensor


@pytest.fixture(scope="module", params=["1.5b", "7b", "14b", "32b"])
def layer(request: pytest.FixtureRequest) -> Layer:
    if request.param != "1.5b" and request.config.getoption("--benchmark-disable"):
        pytest.skip("larger shapes are only worth their time when they are timed")
    s = SHAPES[request.param]
    sizes = {
        "embedding": (VOCABULARY, s.D),
        "q": (s.H * s.K, s.D),
        "k": (s.G * s.K, s.D),
        "v": (s.G * s.K, s.D),
        "o": (s.D, s.H * s.K),
        "gate": (s.F, s.D),
        "up": (s.F, s.D),
        "down": (s.D, s.F),
    }
    runtime = Runtime()
    matrices = {name: _packed(runtime, *size) for name, size in sizes.items()}
    return Layer(s, runtime, matrices, np.ones(s.D, np.float32))


@pytest.mark.parametrize("n_tokens", [1, 8, PROMPT])
@pytest.mark.parametrize("op", OPS)
def test_op(benchmark: BenchmarkFixture, layer: Layer, op: str, n_tokens: int) -> None:
    build, names = OPS[op]
    program = layer.program(build)
    table = np.arange((DEPTH + PROMPT) // BLOCK_TOKENS + 1, dtype=np.int32)
    tokens = np.arange(n_tokens, dtype=np.int32) % VOCABULARY
    depth = 0 if n_tokens == PROMPT else DEPTH
    program.run([Span(np.zeros(DEPTH, np.int32), 0, table, LOGITS_NONE)])
    spans = [Span(tokens, depth, table, LOGITS_NONE)]
    benchmark.group = f"{layer.shape.name} {FORMAT} T={n_tokens}"
    benchmark.pedantic(program.run, (spans,), rounds=15, warmup_rounds=2)
    used = [layer.matrices[name] for name in names]
    record(
        benchmark,
        isa=layer.runtime.isa,
        threads=layer.runtime.threads,
        n_bytes=sum(matrix.nbytes for matrix in used),
        n_ops=2 * n_tokens * sum(matrix.rows * matrix.cols for matrix in used),
        bound="int8" if n_tokens == PROMPT else "read",
    )
