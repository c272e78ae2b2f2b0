"""Chooses how decode walks the weights on this machine: streams per worker and prefetch distances.

No setting changes a result, only speed. The choice is timed on the model's own weights, best of
several interleaved tries (a neighbour on a shared machine then hurts every candidate alike), and
kept in the cache directory for machines of the same kind. ``PYINFER_TUNE=off`` skips it,
``PYINFER_TUNE=again`` measures anew.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import dataclass
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
    (2, 1024, 4608),
    (2, 0, 4608),
    (2, 0, 9216),
    (2, 2048, 9216),
    (4, 0, 4608),
    (4, 1024, 4608),
    (1, 0, 0),
)
TRIES = 5
BUDGET_SECONDS = 0.4
SAMPLE_BYTES = 192 << 20  # far above a last-level cache share
MAX_AGE_SECONDS = 30 * 86_400
VERSION = 1


@dataclass(frozen=True, slots=True)
class Tuned:
    """A walk and the weight bytes per second that it reached; 0 if not measured."""

    walk: Walk
    bytes_per_second: float
    source: str

    def __str__(self) -> str:
        streams, near, far = self.walk
        rate = f", {self.bytes_per_second / 1e9:.1f} GB/s" if self.bytes_per_second else ""
        return f"{streams} streams, prefetch {near} and {far} bytes ahead{rate} ({self.source})"


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
    if known is None:
        known = _measure(runtime, sample, sample_bytes)
        _store(key, known)
    runtime.walk = known.walk
    return known


def _measure(runtime: Runtime, sample: Program, sample_bytes: int) -> Tuned:
    spans = [Span(np.zeros(1, np.int32), 0, np.zeros(1, np.int32), LOGITS_NONE)]
    best = dict.fromkeys(CANDIDATES, float("inf"))
    sample.run(spans)  # wakes the workers and maps the pages
    deadline = time.monotonic() + BUDGET_SECONDS
    for _ in range(TRIES):
        for walk in CANDIDATES:
            runtime.walk = walk
            start = time.perf_counter()
            sample.run(spans)
            best[walk] = min(best[walk], time.perf_counter() - start)
        if time.monotonic() > deadline:
            break
    walk = min(best, key=lambda candidate: best[candidate])
    return Tuned(walk, sample_bytes / best[walk], "measured now")


def _machine_key(runtime: Runtime) -> str:
    quota = cpu_quota()
    parts = (cpu_name(), runtime.isa, f"{runtime.threads} threads", f"quota {quota}", VERSION)
    return "; ".join(str(part) for part in parts)


def _cache_file() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "pyinfer" / "tuner.json"


def _read_cache() -> dict[str, Any]:
    try:
        data = json.loads(_cache_file().read_bytes())
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
    except (TypeError, ValueError, KeyError, IndexError):
        return None
    return Tuned(walk, rate, "measured before") if fresh and walk in CANDIDATES else None


def _store(key: str, tuned: Tuned) -> None:
    """Write the cache by rename; a read-only home costs the next start a measurement only."""
    data = _read_cache()
    data[key] = {
        "walk": tuned.walk,
        "bytes_per_second": tuned.bytes_per_second,
        "time": time.time(),
    }
    file = _cache_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as out:
            json.dump(data, out)
        Path(out.name).replace(file)
    except OSError:
        return
