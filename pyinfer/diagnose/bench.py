"""Measures prompt and decode speed of a model as llama-bench does, beside the machine's limits.

Tests are named as there: ``pp`` evaluates a prompt, ``tg`` generates tokens one by one, ``pp+tg``
does both. Tokens are random; tokenizer and sampler are not part of it. The limits are measured
before every repetition, since on a shared machine they drift.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pyinfer._kernels.runtime import cpu_name
from pyinfer._kernels.tensor import row_bytes
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import MAX_POOL_CONTEXTS, LoadedModel, load_model
from pyinfer.diagnose.limits import Limits, measure_limits, read_buffer
from pyinfer.diagnose.roofline import Workload, matrix_shapes, parameter_count, workload
from pyinfer.diagnose.stepping import Stepper
from pyinfer.errors import InsufficientMemoryError, UsageError
from pyinfer.machine import default_threads
from pyinfer.model.model import StepLimits, cache_block_bytes
from pyinfer.model.step import BLOCK_TOKENS
from pyinfer.store.places import DEMO_FOLDER

MAX_SEQUENCES = StepLimits(1, 1).max_logit_rows
WARM_UP_TOKENS = 32


@dataclass(frozen=True, slots=True)
class BenchTest:
    """One line of the table.

    Attributes
    ----------
    prompt, generate : int
        Tokens evaluated at once, then one by one; timed together.
    depth : int
        Tokens cached before.
    sequences : int
        Sequences that run side by side.
    threads : int
    """

    prompt: int
    generate: int
    depth: int
    sequences: int
    threads: int

    @property
    def name(self) -> str:
        """As llama-bench prints it: ``pp512``, ``tg128 @ d4096``."""
        parts = [f"pp{self.prompt}"] * bool(self.prompt) + [f"tg{self.generate}"] * bool(
            self.generate
        )
        return "+".join(parts) + (f" @ d{self.depth}" if self.depth else "")

    @property
    def room(self) -> int:
        """Tokens that a sequence needs in the cache."""
        return self.depth + self.prompt + self.generate

    @property
    def tokens(self) -> int:
        """Tokens that one repetition evaluates, all sequences together."""
        return self.sequences * (self.prompt + self.generate)


@dataclass(frozen=True, slots=True)
class BenchRequest:
    """What to measure.

    Attributes
    ----------
    model : str or Path or None
        None is the embedded model.
    prompts, generations : sequence of int
        Lengths of the ``pp`` and ``tg`` tests; 0 means no such test.
    both : sequence of (int, int)
        Lengths of the ``pp+tg`` tests.
    depths, sequences, threads : sequence of int
        Every test runs with every combination; no threads: the default of this machine.
    repetitions : int
    options : LoadOptions
        As in :func:`pyinfer.load`.
    warm_up : bool
        Run a short test first.
    """

    model: str | Path | None = None
    prompts: Sequence[int] = (512,)
    generations: Sequence[int] = (128,)
    both: Sequence[tuple[int, int]] = ()
    depths: Sequence[int] = (0,)
    sequences: Sequence[int] = (1,)
    threads: Sequence[int] = ()
    repetitions: int = 5
    options: LoadOptions = field(default_factory=LoadOptions)
    warm_up: bool = True

    def tests(self) -> list[BenchTest]:
        """Every combination, grouped by threads."""
        lengths = [(n, 0) for n in self.prompts] + [(0, n) for n in self.generations]
        lengths += self.both
        threads = self.threads or (default_threads().count,)
        return [
            BenchTest(prompt, generate, depth, sequences, count)
            for count, sequences, depth, (prompt, generate) in itertools.product(
                threads, self.sequences, self.depths, lengths
            )
            if prompt or generate
        ]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the lines of one model share."""

    filename: str
    kind: str  # architecture, size, format: "qwen2 1.8B q4_0"
    n_bytes: int  # of all matrices, as a file holds them
    n_parameters: int
    kv_format: str
    step_tokens: int
    isa: str
    cpu: str


@dataclass(frozen=True, slots=True)
class BenchResult:
    """One measured line; rates are tokens per second, one per repetition."""

    test: BenchTest
    model: ModelFacts
    started: datetime
    nanoseconds: tuple[int, ...]
    limit_rates: tuple[float, ...]
    limits: tuple[Limits, ...]

    @property
    def rates(self) -> list[float]:
        """Tokens per second of each repetition."""
        return [self.test.tokens / ns * 1e9 for ns in self.nanoseconds]

    @property
    def limit_rate(self) -> float:
        """Median of what the machine allowed."""
        return statistics.median(self.limit_rates)

    @property
    def share(self) -> float:
        """Median over the repetitions of the share of their own limit that they reached."""
        shares = [rate / top for rate, top in zip(self.rates, self.limit_rates, strict=True)]
        return statistics.median(shares)


def spread(values: Sequence[float]) -> float:
    """Sample standard deviation, 0 for a single value."""
    return statistics.stdev(values) if len(values) > 1 else 0.0


def run_bench(
    request: BenchRequest, progress: Callable[[BenchTest], None] | None = None
) -> Iterator[BenchResult]:
    """Measure every test of ``request``, each as soon as it is asked for.

    Parameters
    ----------
    request : BenchRequest
    progress : callable, optional
        Called before each test.

    Raises
    ------
    UsageError
        Nothing to measure, or a number out of range.
    PyinferError
        As :func:`pyinfer.load`.
    """
    tests = request.tests()
    _check(request, tests)
    for threads, group in itertools.groupby(tests, key=lambda test: test.threads):
        yield from _run_group(request, threads, list(group), progress)


def _check(request: BenchRequest, tests: list[BenchTest]) -> None:
    if not tests:
        raise UsageError("nothing to measure: every length is 0", hint="use -p 512 or -n 128")
    if request.repetitions < 1:
        raise UsageError(f"{request.repetitions} repetitions; at least 1 is needed")
    most = max(test.sequences for test in tests)
    if most > MAX_SEQUENCES or min(test.sequences for test in tests) < 1:
        raise UsageError(f"{most} sequences side by side; 1 to {MAX_SEQUENCES} can run")


def _run_group(
    request: BenchRequest,
    threads: int,
    tests: list[BenchTest],
    progress: Callable[[BenchTest], None] | None,
) -> Iterator[BenchResult]:
    """Tests with the same number of threads share one loaded model."""
    loaded = _load(request, threads, tests)
    model = loaded.model
    try:
        work = model_workload(loaded)
        buffer = read_buffer(work.weight_bytes)
        facts = _facts(request, loaded)
        if request.warm_up:
            warm = Stepper(model)
            warm.prompt(min(WARM_UP_TOKENS, warm.room))
        for test in tests:
            if progress is not None:
                progress(test)
            started, nanoseconds, limits = datetime.now(UTC), [], []
            stepper = Stepper(model, test.sequences)
            if stepper.room < test.room:
                raise InsufficientMemoryError(
                    f"{test.sequences} sequences of {test.room} tokens do not fit the cache",
                    hint="use fewer sequences or a smaller depth",
                )
            for _ in range(request.repetitions):
                limits.append(measure_limits(model.runtime, buffer))
                nanoseconds.append(_repetition(stepper, test))
            least = [limit_seconds(work, limit, test, stepper.chunk) for limit in limits]
            rates = tuple(test.tokens / seconds for seconds in least)
            yield BenchResult(test, facts, started, tuple(nanoseconds), rates, tuple(limits))
    finally:
        model.close()


def _load(request: BenchRequest, threads: int, tests: list[BenchTest]) -> LoadedModel:
    """Load with a cache pool that holds all sequences of the largest test."""
    pool = max(test.sequences * -(-test.room // BLOCK_TOKENS) for test in tests)
    context = max(max(test.room for test in tests), -(-pool // MAX_POOL_CONTEXTS) * BLOCK_TOKENS)
    source = DEMO_FOLDER if request.model is None else request.model
    return load_model(source, replace(request.options, threads=threads, ctx_size=context))


def _repetition(stepper: Stepper, test: BenchTest) -> int:
    seconds = 0.0
    if test.prompt:
        seconds += stepper.prompt(test.prompt, test.depth)
    if test.generate:
        seconds += stepper.decode(test.generate, test.depth + test.prompt)
    return max(1, round(seconds * 1e9))


def limit_seconds(work: Workload, limits: Limits, test: BenchTest, chunk: int) -> float:
    """Least seconds that one repetition of ``test`` can take."""
    prompt = work.prompt_seconds(limits, test.prompt, test.depth, test.sequences, chunk)
    start = test.depth + test.prompt
    return prompt + work.decode_seconds(limits, test.generate, start, test.sequences)


def model_workload(loaded: LoadedModel) -> Workload:
    """Costs of a loaded model."""
    model = loaded.model
    per_token = cache_block_bytes(model.limits.kv_format, loaded.config) / BLOCK_TOKENS
    return workload(loaded.config, loaded.formats, model.bytes_per_token, per_token)


def _facts(request: BenchRequest, loaded: LoadedModel) -> ModelFacts:
    config, model = loaded.config, loaded.model
    formats = list(loaded.formats.values())
    most = max(sorted(set(formats)), key=formats.count)
    n_parameters = parameter_count(config)
    shapes = matrix_shapes(config).items()
    size = f"{n_parameters / 1e9:.1f}B" if n_parameters >= 1e8 else f"{n_parameters / 1e6:.1f}M"
    return ModelFacts(
        filename="embedded" if request.model is None else str(request.model),
        kind=f"{config.architecture} {size} {most}",
        n_bytes=sum(rows * row_bytes(loaded.formats[name], cols) for name, (rows, cols) in shapes),
        n_parameters=n_parameters,
        kv_format=model.limits.kv_format,
        step_tokens=model.max_step_tokens,
        isa=model.runtime.isa,
        cpu=cpu_name(),
    )
