"""One engine in a process of its own, driven over pipes: for interleaved runs of several engines.

    python -m bench.peers.engines pyinfer --model FILE --threads 2
    python -m bench.peers.engines llama.cpp --model FILE --threads 2

Reads one command per line from standard input, answers one JSON object per line:

    measure pp512     seconds (see bench.peers.measure), from pyinfer also the median and the limits
    kernel FORMAT     operations per second of the bare GEMM kernel on all threads (pyinfer only)
    info              what runs
    quit
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import Any

from bench.peers.llama_cpp import LlamaCpp
from bench.peers.measure import Measure


class Pyinfer:
    """pyinfer's own model, stepped directly."""

    has_limits = True
    steady = 0.0  # seconds of the last figure if all its steps took the median

    def __init__(self, path: str, threads: int, context: int, sequences: int) -> None:
        from bench.peers.watch import LimitWatch
        from pyinfer.checkpoint.load_options import LoadOptions
        from pyinfer.checkpoint.loader import MAX_POOL_CONTEXTS, load_model
        from pyinfer.diagnose.bench import model_workload
        from pyinfer.diagnose.limits import read_buffer

        # The loader's pool holds a few sequences of the full context.
        pool = -(-sequences * (context + 64) // MAX_POOL_CONTEXTS)
        self._loaded = load_model(path, LoadOptions(threads=threads, ctx_size=max(context, pool)))
        self.model = self._loaded.model
        self._work = model_workload(self._loaded)
        self._watch = LimitWatch(self.model.runtime, read_buffer(self._work.weight_bytes))
        self._steppers: dict[int, Any] = {}

    def seconds(self, measure: Measure) -> float:
        """Seconds for one figure."""
        from bench.peers.watch import in_pieces
        from pyinfer.diagnose.stepping import Stepper

        if measure.sequences not in self._steppers:
            # Another split of the pool overwrites what the others have cached.
            self._steppers = {measure.sequences: Stepper(self.model, measure.sequences)}
        stepper = self._steppers[measure.sequences]
        with self._watch.around() as sample:
            if measure.kind == "pp":
                self.steady = float(stepper.prompt(measure.n, measure.depth))
                return self.steady
            seconds, self.steady = in_pieces(stepper.decode, measure.n, measure.depth, sample)
        return seconds

    def info(self) -> dict[str, Any]:
        """What runs, and what one step of it costs."""
        from pyinfer._kernels.runtime import cpu_name

        formats = list(self._loaded.formats.values())
        return {
            "engine": "pyinfer",
            "cpu": cpu_name(),
            "format": max(sorted(set(formats)), key=formats.count),
            "isa": self.model.runtime.isa,
            "walk": self.model.runtime.walk,
            "work": asdict(self._work),
            "step_tokens": self.model.max_step_tokens,
            "report": self._loaded.report,
        }

    def limits(self) -> dict[str, float]:
        """Read bandwidth and multiply peaks during the last measure."""
        return asdict(self._watch.limits())

    def kernel(self, fmt: str) -> dict[str, float]:
        """Rate of the GEMM kernel alone, and the multiply peak in turns with it."""
        from bench.kernel_rate import gemm_rate

        runtime = self.model.runtime
        width = self._loaded.config.hidden_size
        return asdict(gemm_rate(fmt, width, runtime.isa, runtime.threads))


ENGINES = {"pyinfer": Pyinfer, "llama.cpp": LlamaCpp}


def answer(engine: Any, command: list[str]) -> dict[str, Any]:
    """Carry out one command."""
    match command:
        case ["measure", text]:
            seconds = engine.seconds(Measure.parse(text))
            if not engine.has_limits:
                return {"seconds": seconds}
            return {"seconds": seconds, "steady": engine.steady, "limits": engine.limits()}
        case ["kernel", fmt]:
            return dict(engine.kernel(fmt))
        case ["info"]:
            return dict(engine.info())
    raise SystemExit(f"unknown command {command}")


def main() -> None:
    """Serve commands until quit or end of input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("engine", choices=sorted(ENGINES))
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--sequences", type=int, default=1)
    args = parser.parse_args()
    started = time.perf_counter()
    engine = ENGINES[args.engine](args.model, args.threads, args.context, args.sequences)
    print(json.dumps({"ready": time.perf_counter() - started}), flush=True)
    for line in sys.stdin:
        command = line.split()
        if command == ["quit"]:
            break
        print(json.dumps(answer(engine, command)), flush=True)


if __name__ == "__main__":
    main()
