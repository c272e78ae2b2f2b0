"""The choice of the memory walk: from invented timings, and what is kept between starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyinfer._kernels.runtime import Runtime
from pyinfer.model import tuner
from pyinfer.model.tuner import CANDIDATES, Tuned, choose, tune

SLOW, FAST = CANDIDATES[0], CANDIDATES[3]
BYTES = 1_000_000


def rounds(*speeds: float, disturbed: int | None = None) -> list[dict[tuple[int, int, int], float]]:
    """One round per machine speed; FAST takes 8/10 of the time of the others."""
    out = [{w: (0.8 if w == FAST else 1.0) / speed for w in CANDIDATES} for speed in speeds]
    if disturbed is not None:
        out[disturbed][FAST] *= 4
    return out


def test_candidates_are_compared_within_a_round() -> None:
    """A machine that doubles its speed for one candidate only must not make it the best."""
    drifting = rounds(1.0, 1.0, 1.0, 1.0, 1.0)
    drifting[2][SLOW] /= 2
    assert choose(drifting, BYTES).walk == FAST
    assert choose(rounds(1.0, 2.0, 0.5, 1.0, 3.0, disturbed=1), BYTES).walk == FAST


def test_the_rate_is_the_best_and_a_disturbance_is_told() -> None:
    calm = choose(rounds(1.0, 1.1, 1.05), BYTES)
    assert calm.busy == 0
    assert calm.bytes_per_second == pytest.approx(1.1 * BYTES / 0.8)
    assert choose(rounds(1.0, 2.0, 1.0), BYTES).busy == 1
    assert choose(rounds(1.0), BYTES).walk == FAST


class Clock:
    """Stands in for the timing of steps: each walk has a duration."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, runtime: Runtime) -> None:
        self.runtime = runtime
        self.speed = 1.0
        self.steps = 0
        self.jitter: list[float] = []
        monkeypatch.setattr(tuner, "_time", self.time)

    def time(self, sample: Any) -> float:
        self.steps += 1
        factor = self.jitter.pop(0) if self.jitter else 1.0
        return factor * (0.8 if self.runtime.walk == FAST else 1.0) / self.speed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Clock:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("PYINFER_TUNE")
    return Clock(monkeypatch, Runtime(threads=1))


def start(clock: Clock) -> Tuned:
    """One start of a program."""
    clock.runtime.walk = SLOW
    clock.steps = 0
    return tune(clock.runtime, object(), BYTES)  # type: ignore[arg-type]


def test_a_choice_is_kept_until_the_machine_is_clearly_faster(clock: Clock) -> None:
    first = start(clock)
    assert (first.walk, first.source, clock.runtime.walk) == (FAST, "measured now", FAST)
    again = start(clock)
    assert (again.walk, again.source, clock.runtime.walk) == (FAST, "measured before", FAST)
    assert clock.steps < len(CANDIDATES)
    clock.speed = 1.1
    assert start(clock).source == "measured before"
    clock.speed = 1.5
    better = start(clock)
    assert better.source == "measured now"
    assert better.bytes_per_second == pytest.approx(1.5 * BYTES / 0.8)
    clock.speed = 0.5
    assert start(clock).bytes_per_second == better.bytes_per_second


def test_an_unquiet_measurement_is_repeated_a_few_times(clock: Clock) -> None:
    for i in range(1, 6):
        clock.jitter = [1.0] + [1.0] * len(CANDIDATES) + [3.0] * 6 * len(CANDIDATES)
        tuned = start(clock)
        assert (tuned.busy, tuned.source) == (i, "measured now")
    clock.jitter = []
    assert start(clock).source == "measured before"


def test_again_and_off(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    start(clock)
    monkeypatch.setenv("PYINFER_TUNE", "again")
    assert start(clock).source == "measured now"
    monkeypatch.setenv("PYINFER_TUNE", "off")
    off = start(clock)
    assert (off.walk, off.source, clock.steps) == (SLOW, "default", 0)


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"walk": 3}'])
def test_a_damaged_file_counts_as_absent(clock: Clock, tmp_path: Path, damage: str) -> None:
    start(clock)
    file = tmp_path / "pyinfer" / "tuner.json"
    data = json.loads(file.read_text())
    file.write_text(damage or json.dumps({key: {"walk": [9, 9, 9]} for key in data}))
    assert start(clock).source == "measured now"
    assert start(clock).source == "measured before"
