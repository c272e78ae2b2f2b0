"""What is measured, in which order, and what is refused."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.diagnose import bench
from pyinfer.diagnose.bench import BenchRequest, BenchTest, limit_seconds, run_bench
from pyinfer.diagnose.limits import Limits
from pyinfer.diagnose.roofline import Workload
from pyinfer.errors import InsufficientMemoryError, UsageError

from ..checkpoints import random_config, write_folder


def test_every_combination_grouped_by_threads() -> None:
    request = BenchRequest(
        prompts=(8, 0), generations=(4,), both=((8, 2),), depths=(0, 16), threads=(1, 2)
    )
    names = [(test.threads, test.name) for test in request.tests()]
    one = ["pp8", "tg4", "pp8+tg2", "pp8 @ d16", "tg4 @ d16", "pp8+tg2 @ d16"]
    assert names == [(n, name) for n in (1, 2) for name in one]


def test_results_of_the_embedded_model() -> None:
    request = BenchRequest(
        prompts=(70,), generations=(3,), depths=(0, 100), sequences=(1, 2), threads=(2,),
        repetitions=2,
    )  # fmt: skip
    announced: list[BenchTest] = []
    results = list(run_bench(request, announced.append))
    assert [result.test for result in results] == request.tests() == announced
    for result in results:
        assert len(result.nanoseconds) == len(result.limits) == len(result.limit_rates) == 2
        assert result.rates[0] == pytest.approx(result.test.tokens * 1e9 / result.nanoseconds[0])
        shares = [a / b for a, b in zip(result.rates, result.limit_rates, strict=True)]
        assert result.share == statistics.median(shares)
        assert result.model.filename == "embedded"
        assert result.model.kind == "qwen2 3.4M q8_0"
        assert result.model.n_parameters == 3_412_224
    assert results[2].test.tokens == 70
    assert results[-1].test.tokens == 6


def test_a_model_of_the_users(tmp_path: Path) -> None:
    write_folder(tmp_path / "model", random_config(vocab=320, hidden=64))
    request = BenchRequest(
        model=tmp_path / "model", prompts=(5,), generations=(0,),
        options=LoadOptions(dtype="f32", isa="scalar"),
        threads=(1,), repetitions=1, warm_up=False,
    )  # fmt: skip
    (result,) = run_bench(request)
    assert result.model.filename == str(tmp_path / "model")
    assert (result.model.kv_format, result.model.isa) == ("f32", "scalar")
    assert result.model.n_bytes == 4 * (
        2 * 320 * 64 + 2 * (64 * 64 * 2 + 2 * 32 * 64 + 3 * 96 * 64)
    )


def test_prompt_and_decode_add_up() -> None:
    work = Workload(100, 1.0, 0, 0, 0, 0, 0)
    limits = Limits(read=10.0, int8=1.0, f32=1.0)
    test = BenchTest(prompt=4, generate=2, depth=3, sequences=1, threads=1)
    seconds = limit_seconds(work, limits, test, chunk=512)
    assert seconds == pytest.approx((107 + 108 + 109) / 10)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (BenchRequest(prompts=(0,), generations=(0,)), "nothing to measure"),
        (BenchRequest(repetitions=0), "repetitions"),
        (BenchRequest(sequences=(33,)), "33 sequences"),
        (BenchRequest(sequences=(0,)), "sequences"),
        (BenchRequest(depths=(10_000,)), "context"),
        (BenchRequest(options=LoadOptions(dtype="q9")), "q9"),
        (BenchRequest(options=LoadOptions(isa="mmx")), "mmx"),
    ],
)
def test_refused(request_: BenchRequest, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        next(run_bench(request_))


def test_a_pool_that_is_too_small_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "MAX_POOL_CONTEXTS", 1000)  # more than the loader gives
    request = BenchRequest(prompts=(8,), generations=(), sequences=(32,), threads=(1,))
    with pytest.raises(InsufficientMemoryError, match="32 sequences of 8 tokens"):
        list(run_bench(request))
