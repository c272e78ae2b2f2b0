"""Tables and plots from made-up runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="plots need the extra [bench]")

from bench import report

from .test_goals import made_up


def run_of(test: str, threads: int = 2) -> dict[str, Any]:
    facts = {"model": "random-1.5b-q4_0.gguf", "cpu": "A CPU", "isa": "avx2", "format": "q4_0"}
    return made_up(test, [5.0, 9.0], [2.0, 4.0]) | facts | {"threads": threads}


def test_runs_are_told_apart_by_their_content(tmp_path: Path) -> None:
    for name, content in {
        "goal-decode-q4_0": run_of("tg128"),
        "goal-overhead": {"overhead": {}},
        "kernels": {"benchmarks": []},
        "other": {"something": "else"},
        "compared": run_of("pp512"),
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    comparisons, goals, benchmarks = report.load_runs(tmp_path)
    assert set(comparisons) == {"goal-decode-q4_0", "compared"}
    assert set(goals) == {"decode-q4_0", "overhead"}
    assert set(benchmarks) == {"kernels"}


def test_tables() -> None:
    assert "| 7.0 (5.0-9.0) | 15.0 | 47% | llama.cpp 3.0 (2.0-4.0), ratio 2.38 |" in (
        report.end_to_end({"a": run_of("tg128")})
    )
    text = report.goal_table({"decode-q4_0": run_of("tg128")})
    assert "| >= 93.0% | 47.5% | **no** |" in text
    others = {f"decode-q4_0{n}": run_of("tg128") for n in ("", ".2")} | {"another": {}}
    again = report.goal_table({"decode-q4_0": run_of("tg128")}, others)
    assert "| >= 93.0% | 47.5%, 47.5%, 47.5% | **no** |" in again
    assert report.end_to_end({}) == report.goal_table({}) == ""


def test_servers_are_compared_by_medians_of_their_rounds() -> None:
    def result(streams: int, rate: float, **facts: Any) -> dict[str, Any]:
        times = dict.fromkeys(("first_token_median", "gap_p50", "gap_p99", "health_worst"), 0.5)
        return {"model": "m", "server": "s", "streams": streams, "tokens": 9 * streams,
                "tokens_per_second": rate, "long_prompt": None, **times, **facts}  # fmt: skip

    long = {"prompt_tokens": 8000, "first_token": 40, "gap_p50": 0.03, "gap_p99": 0.1}
    text = report.serving(
        [result(1, 10), result(4, 28), result(4, 30), result(4, 50), result(4, 5, long_prompt=long)]
    )
    assert "| m | s | 4 | 9 | 30.0 | 3.00 | 0.500 | 500.0 / 500.0 | 500.0 |  |" in text
    assert "| 5.0 |  | 0.500 | 500.0 / 500.0 | 500.0 | 8,000 tokens in 40.0 s: 30.0 / 100.0 |" in (
        text
    )


def test_a_block_is_replaced() -> None:
    text = "a\n<!-- generated: x -->\nold\n<!-- end generated -->\nb\n"
    assert report.fill(text, "x", "new \\1") == text.replace("old", "new \\1")


def test_plots_are_the_same_for_the_same_figures(tmp_path: Path) -> None:
    runs = {"a": run_of("tg8"), "b": run_of("tg8@4096"), "c": run_of("pp512")}
    shown = report.draw(runs, tmp_path / "one")
    assert report.draw(runs, tmp_path / "two") == shown
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["depth.svg", "roofline-pp.svg", "roofline-tg.svg"]
    for name in names:
        image = (tmp_path / "one" / name).read_text(encoding="utf-8")
        assert image == (tmp_path / "two" / name).read_text(encoding="utf-8")
        assert len(image) < 40_000
        assert "<dc:date>" not in image


def test_quality_tables() -> None:
    variant = {
        "bytes": 2_085_472, "bits_per_weight": 4.842, "perplexity": 14.5664, "mean_kl": 0.0616,
        "kl_99": 0.9575, "same_top": 0.9451, "answers": {"right": 94, "of": 100},
    }  # fmt: skip
    small, large = variant, {**variant, "bytes": 3_000_000, "mean_kl": -1e-9}
    lines = report.quality({"variants": {"q4_0": small, "f32": large}}).splitlines()
    assert lines[2].startswith("| f32 | 3.00 | 4.84 | 14.566 | 0.00000 |")
    assert lines[3] == "| q4_0 | 2.09 | 4.84 | 14.566 | 0.06160 | 0.9575 | 94.51% | 94 / 100 |"
    file = {"file": "a.gguf", "scored": 10455, "pyinfer": 15.3124, "llama_cpp": 15.3122,
            "difference": 1.3e-5, "error": 2e-5, "same_answers": 6, "answers": 6,
            "pyinfer_to_exact": {"difference": 0.001, "error": 0.0},
            "llama_cpp_to_exact": {"difference": -0.002, "error": 0.0}}  # fmt: skip
    shown = report.agreement({"agreement": {"files": [file]}}).splitlines()
    assert shown[2] == (
        "| a.gguf | 10,455 | 15.3124 | 15.3122 | +0.001% ± 0.002% | +0.100% ± 0.000% "
        "| -0.200% ± 0.000% | 6 / 6 |"
    )
