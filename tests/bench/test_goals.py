"""Verdicts on made-up runs, computed by hand; every line of the table is sound."""

from __future__ import annotations

from typing import Any

import pytest

from bench.peers import goals
from bench.peers.goals import LINES, Verdict, verdicts, written
from bench.peers.measure import Measure

WORK = {
    "weight_bytes": 1000,
    "kv_bytes": 0.0,
    "body_int8": 10,
    "body_f32": 0,
    "head_int8": 0,
    "head_f32": 0,
    "attention": 0,
}


def made_up(test: str, ours: list[float], theirs: list[float]) -> dict[str, Any]:
    """A run whose decode limit is 10 and 20 tokens per second in its two rounds."""
    limits = [{"read": read, "int8": 1e9, "f32": 1e8} for read in (10_000.0, 20_000.0)]
    return {
        "tests": {
            test: {
                "limits": limits,
                "steady": ours,
                "rates": {"pyinfer": ours, "llama.cpp": theirs},
            }
        },
        "engines": {"pyinfer": {"info": {"work": WORK, "step_tokens": 512, "isa": "avx512vnni"}}},
        "kernel": [[{"ops": 4e8, "peak": 1e9}, {"ops": 6e8, "peak": 1e9}]] * 2,
    }


def only(check: goals.Check, run: dict[str, Any]) -> Verdict:
    (verdict,) = check(run)
    return verdict


def test_share_is_taken_round_by_round() -> None:
    verdict = only(goals.share("tg4", 0.93), made_up("tg4", [9.0, 19.0], [1.0, 1.0]))
    assert verdict.reached == pytest.approx((0.9 + 0.95) / 2)
    assert not verdict.held


def test_a_ratio_is_not_asked_beyond_the_limit() -> None:
    run = made_up("tg4", [9.0, 18.0], [3.0, 6.0])
    verdict = only(goals.ratio("tg4", "llama.cpp", 2.0), run)
    assert (verdict.goal, verdict.reached, verdict.held) == (2.0, 3.0, True)
    verdict = only(goals.ratio("tg4", "llama.cpp", 4.0), run)
    assert verdict.goal == pytest.approx(0.93 * 10 / 3)
    assert not verdict.held
    assert list(goals.ratio("tg4", "absent", 2.0)(run)) == []


def test_prompt_against_the_kernel() -> None:
    per_token = 2 * goals.SHAPES["1.5b"].body_macs
    assert per_token == 2 * 28 * (2048 * 1536 + 1536 * 1536 + 3 * 8960 * 1536)
    run = made_up("pp4", [4e8 / per_token, 5e8 / per_token], [1.0, 1.0])
    assert only(goals.model_over_kernel("pp4", "1.5b", 0.88), run).reached == pytest.approx(0.9)
    assert only(goals.kernel_share(0.6), run).reached == 0.5 / 0.8
    assert only(goals.matrix_share("pp4", "1.5b", "int8", 0.4), run).held


def test_load_memory_and_overhead() -> None:
    start = {"first_token": 0.5, "peak": 300e6}
    run: dict[str, Any] = {
        "starts": {"pyinfer": [start], "llama.cpp": [start | {"first_token": 1.0}]},
        "file_bytes": 50e6,
        "kv_bytes": 40e6,
    }
    assert only(goals.first_token(0.4), run).held is False
    assert only(goals.ahead_of("llama.cpp"), run).reached == 2.0
    assert list(goals.first_token(0.25, "packed cache")(run)) == []
    (memory,) = goals.peak_memory(run)
    assert (memory.goal, memory.reached, memory.held) == (290.0, 300.0, False)
    found = {"token": 0.1, "program": 0.0995, "empty": 0.0005}
    rates = {"embedded": 2500.0, "embedded_one_thread": 1000.0}
    assert [v.held for v in goals.overheads({"overhead": found | rates})] == [True, True, True]


def test_every_line_is_sound() -> None:
    assert len({line.name for line in LINES}) == len(LINES)
    for line in LINES:
        assert [str(Measure.parse(test)) for test in line.tests] == list(line.tests)
        assert bool(line.tests) == (line.program == "compare")
        assert line.checks
        if line.program == "compare":
            figures = {test: made_up(test, [1.0, 1.0], [1.0, 1.0]) for test in line.tests}
            run: dict[str, Any] = {"tests": {t: found["tests"][t] for t, found in figures.items()}}
            for found in run["tests"].values():
                found["rates"] |= {peer: [1.0, 1.0] for peer in line.peers}
            run |= {k: made_up("pp1", [], [])[k] for k in ("engines", "kernel")}
            assert verdicts(line, run)


def test_figures_for_people() -> None:
    shown = [written(0.934, "%"), written(2.04, "x"), written(1370.4, "MB"), written(0.25, "s")]
    assert shown == ["93.4%", "2.04x", "1,370 MB", "0.25 s"]
