"""Runs a campaign.

    python -m tools.fuzz_gguf --work DIR --cpu-minutes 30

Files that reach new code are kept in ``DIR/corpus``, those that break a rule in ``DIR/findings``,
whole models in ``DIR/accepted`` for ``tools.fuzz_gguf.native``; ``DIR/statistics.json`` lists the
runs. Time is the processor time of this process, so that a busy machine does not count.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import atheris

from tools.fuzz_gguf.modules import MODULES

with atheris.instrument_imports(include=list(MODULES)):
    from tools.fuzz_gguf.target import Target

from tools.fuzz_gguf.mutate import mutated
from tools.fuzz_gguf.pieces import Pieces, read
from tools.fuzz_gguf.seeds import seeds, valid

MAX_FILE = 64 << 10
TRACED = 97  # one file of so many has its memory traced
ACCEPTED = 23  # one whole model of so many is kept


class Campaign:
    """The state of one run."""

    def __init__(self, work: Path, seconds: float) -> None:
        self.work, self.seconds = work, seconds
        for name in ("corpus", "findings", "accepted"):
            (work / name).mkdir(parents=True, exist_ok=True)
        self.target = Target()
        self.started, self.findings = time.process_time(), 0
        self.lent: list[Pieces] = []
        self.valid = [data for _, data in valid()]
        self.places: set[str] = set()
        self.base_memory = 0
        self.stopped = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.stop)

    def one(self, data: bytes) -> None:
        """Check one file, keep it if it is a finding, end the run when its time is over."""
        n = self.target.counts["files"]
        try:
            whole = self.target.check(data, trace=n % TRACED == 0)
        except Exception:
            self.found(data, traceback.format_exc())
            return
        if whole and self.target.counts["model: accepted"] % ACCEPTED == 0:
            keep(self.work / "accepted", data)
        if n == 1000:
            self.base_memory = peak_memory()
        over = n % 1000 == 0 and time.process_time() - self.started > self.seconds
        if over or self.stopped:
            self.finish()

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        """End the run after the file that is being checked."""
        self.stopped = True

    def found(self, data: bytes, trace: str) -> None:
        """Keep the first file that broke a rule in a place, and why."""
        self.findings += 1
        place = next(line for line in reversed(trace.splitlines()) if line.startswith("  File "))
        if place not in self.places:
            self.places.add(place)
            path = keep(self.work / "findings", data)
            path.with_suffix(".txt").write_text(trace, "utf-8")
            print(trace, file=sys.stderr, flush=True)

    def mutate(self, data: bytes, max_size: int, seed: int) -> bytes:
        """Return a changed file: mostly by its structure, sometimes any bytes."""
        rng = random.Random(seed)
        if rng.random() < 0.4:
            data = rng.choice(self.valid)  # most of what is kept is broken in some way
        if rng.random() < 0.08:
            return bytes(atheris.Mutate(data, max_size))
        if rng.random() < 0.02 or not self.lent:
            self.lent.append(read(data))
            del self.lent[:-200]
        return bytes(mutated(data, rng, rng.choice(self.lent)))[:max_size]

    def finish(self) -> None:
        """Add this run to the statistics and end the process."""
        path = self.work / "statistics.json"
        runs = json.loads(path.read_text("utf-8")) if path.exists() else []
        run: dict[str, Any] = {
            "cpu_seconds": round(time.process_time() - self.started, 1),
            "executions": self.target.counts["files"],
            "findings": self.findings,
            "places": sorted(self.places),
            "peak_memory_growth_kib": peak_memory() - self.base_memory,
            "counts": dict(sorted(self.target.counts.items())),
        }
        path.write_text(json.dumps([*runs, run], indent=1) + "\n", "utf-8")
        print(json.dumps(run), flush=True)
        raise KeyboardInterrupt  # the one way to end libFuzzer's loop in good order


def keep(folder: Path, data: bytes) -> Path:
    """Write a file under its hash."""
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}.gguf"
    path.write_bytes(data)
    return path


def peak_memory() -> int:
    """Largest resident size of this process so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Run until the time is over."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--cpu-minutes", type=float, default=30)
    options = parser.parse_args()
    campaign = Campaign(options.work, options.cpu_minutes * 60)
    for _, data in seeds():
        keep(options.work / "corpus", data)
    arguments = [
        sys.argv[0], str(options.work / "corpus"), f"-max_len={MAX_FILE}", "-len_control=0",
        "-timeout=36000", "-report_slow_units=36000", "-rss_limit_mb=2048", "-handle_term=0",
        "-handle_int=0", "-print_final_stats=1", f"-artifact_prefix={options.work}/findings/",
    ]  # fmt: skip
    atheris.Setup(arguments, campaign.one, custom_mutator=campaign.mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
