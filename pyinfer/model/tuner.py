"""Chooses how decode walks the weights on this machine: streams per worker and prefetch distances.

No setting changes a result, only speed. The choice is timed on the model's own weights in rounds
that try every candidate once. The bandwidth of a shared machine may double from one moment to the
next, so candidates are compared within their round, and the median of that ratio over the rounds
decides. The choice is kept in the cache directory for machines of the same kind, together with
what it reached; it is measured anew when the rounds disagreed (a busy machine) or when a later
start reads clearly faster. ``PYINFER_TUNE=off`` skips it, ``PYINFER_TUNE=again`` measures anew.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyinfer._kernels.graph import Program
from pyinfer._kernels.runtime import Runtime, cpu_name
from pyinfer.machine import cpu_quota
from pyinfer.model.step import LOGITS_NONE, Span

Walk = tuple[int, int, int]

# (streams, bytes ahead into L1, bytes ahead into L2). Far-apart streams keep more lines in flight;
# the best distance depends on how many misses a core can hold and on its own prefetchers.
CANDIDATES: tuple[Walk, ...] = (
    (2, 0, 5120),
    (2, 0, 3840),
    (2, 0, 7680),
    (2, 0, 9216),
    (4, 0, 4608),
    (1, 0, 4608),
    (1, 0, 0),
)
ROUNDS = 7
BUDGET_SECONDS = 0.4
SAMPLE_BYTES = 192 << 20  # far above a last-level cache share
MAX_AGE_SECONDS = 30 * 86_400
VERSION = 4

# The winner's best try may be so much faster than its median; more means that something else ran.
_CALM_SPREAD = 1.25
_BUSY_STARTS = 5  # so often an unquiet measurement is repeated at later starts
_CHECKS = 3  # steps that look whether the machine is faster than when the choice was made
_FASTER = 1.15


@dataclass(frozen=True, slots=True)
class Tuned:
    """A walk and the best weight bytes per second that it reached; 0 if not measured.

    Attributes
    ----------
    walk : tuple of int
        Streams, bytes ahead into L1, bytes ahead into L2.
    bytes_per_second : float
    source : str
        Where the choice comes from, for people.
    busy : int
        How many measurements in a row something else disturbed; 0 if the last one was calm.
    """

    walk: Walk
    bytes_per_second: float
    source: str
    busy: int = 0

    def __str__(self) -> str:
        streams, near, far = self.walk
        rate = f", {self.bytes_per_second / 1e9:.1f} GB/s" if self.bytes_per_second else ""
        word = "stream" if streams == 1 else "streams"
        return f"{streams} {word}, prefetch {near} and {far} bytes ahead{rate} ({self.source})"


def tune(runtime: Runtime, sample: Program | None, sample_bytes: int) -> Tuned:
    """Set the walk of ``runtime``: from the cache, or by timing ``sample``.

    Parameters
    ----------
    runtime : Runtime
    sample : Program or None
        Reads ``sample_bytes`` of weights per step; None for a model that fits into caches, where
        the walk does not matter.
    """
    mode = os.environ.get("PYINFER_TUNE", "")
    if sample is None or mode == "off":
        return Tuned(runtime.walk, 0.0, "default")
    key = _machine_key(runtime)
    known = None if mode == "again" else _load(key)
    if known is not None:
        runtime.walk = known.walk
        if not _outdated(known, sample, sample_bytes):
            return known
    tuned = choose(_time_rounds(runtime, sample), sample_bytes)
    if tuned.busy and known is not None and known.busy:
        tuned = replace(tuned, busy=known.busy + 1)
    _store(key, tuned)
    runtime.walk = tuned.walk
    return tuned


def forget(runtime: Runtime) -> None:
    """Drop the kept choice for machines like this one; the next large model measures anew."""
    data = _read_cache()
    if data.pop(_machine_key(runtime), None) is not None:
        _write_cache(data)


def cache_file() -> Path:
    """Where choices are kept."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "pyinfer" / "tuner.json"


def choose(rounds: list[dict[Walk, float]], sample_bytes: int) -> Tuned:
    """Choose from the seconds of every candidate in every round.

    The first of the candidates with the smallest median share of its round's fastest try.
    """
    best = {walk: [times[walk] / min(times.values()) for times in rounds] for walk in rounds[0]}
    walk = min(best, key=lambda candidate: statistics.median(best[candidate]))
    seconds = [times[walk] for times in rounds]
    busy = statistics.median(seconds) > _CALM_SPREAD * min(seconds)
    return Tuned(walk, sample_bytes / min(seconds), "measured now", int(busy))


def _time_rounds(runtime: Runtime, sample: Program) -> list[dict[Walk, float]]:
    _time(sample)  # wakes the workers and maps the pages
    deadline = time.monotonic() + BUDGET_SECONDS
    rounds: list[dict[Walk, float]] = []
    while len(rounds) < ROUNDS and (not rounds or time.monotonic() < deadline):
        times = {}
        for walk in CANDIDATES:
            runtime.walk = walk
            times[walk] = _time(sample)
        rounds.append(times)
    return rounds


def _time(sample: Program) -> float:
    spans = [Span(np.zeros(1, np.int32), 0, np.zeros(1, np.int32), LOGITS_NONE)]
    start = time.perf_counter()
    sample.run(spans)
    return time.perf_counter() - start


def _outdated(known: Tuned, sample: Program, sample_bytes: int) -> bool:
    """Whether a known choice was made on a machine busier than now."""
    if 0 < known.busy < _BUSY_STARTS:
        return True
    _time(sample)
    fastest = min(_time(sample) for _ in range(_CHECKS))
    return sample_bytes / fastest > _FASTER * known.bytes_per_second


def _machine_key(runtime: Runtime) -> str:
    quota = cpu_quota()
    parts = (cpu_name(), runtime.isa, f"{runtime.threads} threads", f"quota {quota}", VERSION)
    return "; ".join(str(part) for part in parts)


def _read_cache() -> dict[str, Any]:
    try:
        data = json.loads(cache_file().read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _load(key: str) -> Tuned | None:
    """Return the cached choice; anything unexpected in the file counts as absent."""
    entry: Any = _read_cache().get(key)
    try:
        walk = (int(entry["walk"][0]), int(entry["walk"][1]), int(entry["walk"][2]))
        fresh = 0 <= time.time() - float(entry["time"]) < MAX_AGE_SECONDS
        rate = float(entry["bytes_per_second"])
        busy = int(entry["busy"])
    except (TypeError, ValueError, KeyError, IndexError):
        return None
    known = Tuned(walk, rate, "measured before", busy)
    return known if fresh and walk in CANDIDATES and rate > 0 else None


def _store(key: str, tuned: Tuned) -> None:
    data = _read_cache()
    data[key] = {
        "walk": tuned.walk,
        "bytes_per_second": tuned.bytes_per_second,
        "busy": tuned.busy,
        "time": time.time(),
    }
    _write_cache(data)


def _write_cache(data: dict[str, Any]) -> None:
    """Replace the file by rename; a read-only home costs the next start a measurement only."""
    file = cache_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as out:
            json.dump(data, out)
        Path(out.name).replace(file)
    except OSError:
        return
