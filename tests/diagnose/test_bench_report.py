"""The output formats, against the field names that llama-bench documents."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pyinfer.diagnose.bench import BenchResult, BenchTest, ModelFacts
from pyinfer.diagnose.bench_report import FORMATS, BenchWriter
from pyinfer.diagnose.limits import Limits

# From the example of JSON output in the documentation of llama-bench (tools/llama-bench/README.md),
# without the settings of graphics cards and of its own memory handling.
LLAMA_BENCH: dict[str, Any] = {
    "build_commit": "8cf427ff",
    "build_number": 5163,
    "cpu_info": "AMD Ryzen 7 7800X3D 8-Core Processor",
    "gpu_info": "NVIDIA GeForce RTX 4080",
    "backends": "CUDA",
    "model_filename": "models/Qwen2.5-7B-Instruct-Q4_K_M.gguf",
    "model_type": "qwen2 7B Q4_K - Medium",
    "model_size": 4677120000,
    "model_n_params": 7615616512,
    "n_batch": 2048,
    "n_ubatch": 512,
    "n_threads": 8,
    "type_k": "f16",
    "type_v": "f16",
    "n_gpu_layers": -1,
    "n_prompt": 512,
    "n_gen": 0,
    "n_depth": 0,
    "test_time": "2025-04-24T11:58:50Z",
    "avg_ns": 72135640,
    "stddev_ns": 1453752,
    "avg_ts": 7100.002165,
    "stddev_ts": 140.341520,
    "samples_ns": [74601900, 71632900, 71745200, 71952700, 70745500],
    "samples_ts": [6863.1, 7147.55, 7136.37, 7115.79, 7237.21],
}
ADDED = {"n_parallel", "isa", "limit_ts", "share", "limits"}
ONLY_JSON = {"samples_ns", "samples_ts", "limits"}

RESULTS = [
    BenchResult(
        test=BenchTest(prompt, generate, depth, sequences, threads=2),
        model=ModelFacts(
            "a,b.gguf", "qwen2 1.8B q4_0", 999_653_376, 1_777_088_000, "f16", 512, "avx2", "A CPU"
        ),
        started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        nanoseconds=(2_000_000_000, 4_000_000_000),
        limit_rates=(1000.0, 400.0),
        limits=(Limits(1.0, 2.0, 3.0), Limits(4.0, 5.0, 6.0)),
    )
    for prompt, generate, depth, sequences in ((512, 0, 0, 1), (0, 128, 4096, 2))
]


def written(form: str) -> str:
    writer = BenchWriter(form, "1.2.3")
    return "".join([writer.line(result) for result in RESULTS]) + writer.end()


def test_json_has_the_documented_fields() -> None:
    first, second = json.loads(written("json"))
    assert set(LLAMA_BENCH) | ADDED == set(first) == set(second)
    for name, example in LLAMA_BENCH.items():
        assert type(first[name]) is type(example), name
    assert (first["n_prompt"], first["n_gen"], first["n_depth"]) == (512, 0, 0)
    assert first["samples_ts"] == [256.0, 128.0]
    assert first["avg_ts"] == 192.0
    assert first["stddev_ts"] == pytest.approx(90.5096679)
    assert first["avg_ns"] == 3_000_000_000
    assert first["limit_ts"] == 700.0
    assert first["share"] == pytest.approx((256 / 1000 + 128 / 400) / 2)
    assert first["test_time"] == "2026-01-02T03:04:05Z"
    assert (second["n_gen"], second["n_depth"], second["n_parallel"]) == (128, 4096, 2)


def test_jsonl_is_json_by_line() -> None:
    assert [json.loads(line) for line in written("jsonl").splitlines()] == json.loads(
        written("json")
    )


def test_csv_has_the_same_values() -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    objects = json.loads(written("json"))
    for row, values in zip(rows, objects, strict=True):
        assert row == {k: str(v) for k, v in values.items() if k not in ONLY_JSON}


def test_table() -> None:
    lines = written("md").splitlines()
    assert len({len(line) for line in lines}) == 1
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0][:3] == ["model", "size", "params"]
    assert cells[2] == [
        *("qwen2 1.8B q4_0", "953.34 MiB", "1.78 B", "CPU avx2", "2", "1", "pp512"),
        *("192.00 ± 90.51", "700.00", "28.8%"),
    ]
    assert cells[3][5:7] == ["2", "tg128 @ d4096"]


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_measured(form: str) -> None:
    assert BenchWriter(form, "1").end() == ("[]\n" if form == "json" else "")
