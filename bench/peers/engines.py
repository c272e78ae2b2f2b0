"""One engine in a process of its own, driven over pipes: for interleaved runs of several engines.

    python -m bench.peers.engines pyinfer --model FILE --threads 2
    python -m bench.peers.engines llama_cpp --model FILE --threads 2

Reads one command per line from standard input, answers one JSON object per line:

    prompt N          seconds to evaluate N tokens from an empty cache, logits of the last
    decode N DEPTH    seconds for N single-token steps with DEPTH tokens cached before
    limits            read bandwidth and multiply peaks of this moment (pyinfer only)
    info              what runs
    quit
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]


class Engine(Protocol):
    """What the driver needs of an engine."""

    def evaluate(self, tokens: Tokens, start: int) -> None:
        """Evaluate tokens at positions ``start ...`` and compute the logits of the last."""

    def clear(self) -> None:
        """Forget what is cached."""

    def info(self) -> dict[str, Any]:
        """What runs: name, version, settings."""


class Pyinfer:
    """pyinfer's own model, stepped directly."""

    def __init__(self, path: str, threads: int, context: int) -> None:
        from pyinfer.load.loader import load_model
        from pyinfer.model.step import LOGITS_LAST, LOGITS_NONE, Span

        self._span, self._none, self._last = Span, LOGITS_NONE, LOGITS_LAST
        self._loaded = load_model(path, threads=threads, ctx_size=context)
        self.model = self._loaded.model
        self._blocks = np.arange(-(-context // 64), dtype=np.int32)
        self._buffer: Any = None

    def evaluate(self, tokens: Tokens, start: int) -> None:
        chunk = self.model.max_step_tokens
        for first in range(0, len(tokens), chunk):
            part = tokens[first : first + chunk]
            wanted = self._last if first + len(part) == len(tokens) else self._none
            self.model.step([self._span(part, start + first, self._blocks, wanted)])

    def clear(self) -> None:
        pass  # positions are given with each step; nothing of the past is read

    def info(self) -> dict[str, Any]:
        from pyinfer._kernels.runtime import cpu_name

        return {
            "engine": "pyinfer",
            "cpu": cpu_name(),
            "quantized": bool(self._loaded.report[0].rpartition(" in ")[2].startswith("q")),
            "isa": self.model.runtime.isa,
            "walk": self.model.runtime.walk,
            "bytes_per_token": self.model.bytes_per_token,
            "report": self._loaded.report,
        }

    def limits(self) -> dict[str, float]:
        """Best of a few passes each, so that one disturbance does not lower the limit."""
        from pyinfer.diagnose.limits import measure_limits, read_buffer

        if self._buffer is None:
            self._buffer = read_buffer()
        return asdict(measure_limits(self.model.runtime, self._buffer))


class LlamaCpp:
    """llama.cpp through the low-level functions of llama-cpp-python (no Python per logit)."""

    def __init__(self, path: str, threads: int, context: int) -> None:
        import llama_cpp

        self._lib = llama_cpp
        llama_cpp.llama_backend_init()
        # Silence: a callback that must stay alive as long as the library.
        self._log = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._log, None)
        model_params = llama_cpp.llama_model_default_params()
        self._model = llama_cpp.llama_model_load_from_file(path.encode(), model_params)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = params.n_ubatch = 512
        params.n_threads = params.n_threads_batch = threads
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        if not self._context:
            raise SystemExit(f"llama.cpp cannot load {path}")

    def evaluate(self, tokens: Tokens, start: int) -> None:
        lib = self._lib
        for first in range(0, len(tokens), 512):
            part = tokens[first : first + 512].tolist()
            array = (lib.llama_token * len(part))(*part)
            batch = lib.llama_batch_get_one(array, len(part))
            if lib.llama_decode(self._context, batch) != 0:
                raise SystemExit("llama_decode failed")
        lib.llama_get_logits_ith(self._context, -1)  # waits for the result

    def clear(self) -> None:
        lib = self._lib
        lib.llama_memory_clear(lib.llama_get_memory(self._context), True)

    def info(self) -> dict[str, Any]:
        system = self._lib.llama_print_system_info().decode()
        return {"engine": "llama.cpp", "binding": self._lib.__version__, "system": system}


ENGINES = {"pyinfer": Pyinfer, "llama_cpp": LlamaCpp}


def random_tokens(n: int, seed: int = 0) -> Tokens:
    """Token ids that every vocabulary of the real models has."""
    return np.random.default_rng(seed).integers(1000, 100_000, n).astype(np.int32)


def run_prompt(engine: Engine, n: int) -> float:
    """Seconds to evaluate n tokens from nothing."""
    engine.clear()
    tokens = random_tokens(n)
    start = time.perf_counter()
    engine.evaluate(tokens, 0)
    return time.perf_counter() - start


def run_decode(engine: Engine, n: int, depth: int) -> float:
    """Seconds for n single-token steps after ``depth`` cached tokens."""
    engine.clear()
    tokens = random_tokens(depth + n)
    if depth:
        engine.evaluate(tokens[:depth], 0)
    start = time.perf_counter()
    for i in range(depth, depth + n):
        engine.evaluate(tokens[i : i + 1], i)
    return time.perf_counter() - start


def answer(engine: Any, command: list[str]) -> dict[str, Any]:
    """Carry out one command."""
    match command:
        case ["prompt", n]:
            return {"seconds": run_prompt(engine, int(n))}
        case ["decode", n, depth]:
            return {"seconds": run_decode(engine, int(n), int(depth))}
        case ["limits"]:
            return dict(engine.limits())
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
    arguments = parser.parse_args()
    started = time.perf_counter()
    engine = ENGINES[arguments.engine](arguments.model, arguments.threads, arguments.context)
    print(json.dumps({"ready": time.perf_counter() - started}), flush=True)
    for line in sys.stdin:
        command = line.split()
        if command == ["quit"]:
            break
        print(json.dumps(answer(engine, command)), flush=True)


if __name__ == "__main__":
    main()
