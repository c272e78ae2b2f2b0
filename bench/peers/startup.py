"""Time from loading a model to its first token, and the peak memory, each in a fresh process.

    python -m bench.peers.startup pyinfer --model FILE --threads 2 --context 1024
    python -m bench.peers.startup llama.cpp --model FILE --threads 2 --context 1024

Prints one JSON object. The prompt is a few token ids, so no tokenizer is waited for; imports are
not counted. Peak memory is ``VmHWM`` of the process.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

PROMPT = (9707, 11, 1879, 0)


def peak_bytes() -> int:
    """Most memory that this process has held."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def start_pyinfer(path: str, threads: int, context: int, cache: str) -> dict[str, float]:
    """Load, answer one token, then fill the context to see what it takes."""
    import pyinfer
    from pyinfer.loading import load

    one = pyinfer.SamplingParams(temperature=0, max_tokens=1)
    start = time.perf_counter()
    with load(
        path, threads=threads, ctx_size=context, packed_cache=cache or False, tokenizer=False
    ) as llm:
        loaded = time.perf_counter() - start
        llm.generate(token_ids=PROMPT, params=one)
        first = time.perf_counter() - start
        start = time.perf_counter()
        llm.generate(token_ids=PROMPT[1:], params=one)
        again = time.perf_counter() - start
        filling = [1000 + i for i in range(context - 1)]
        llm.generate(token_ids=filling, params=one)
        return {"load": loaded, "first_token": first, "warm_token": again, "peak": peak_bytes()}


def start_llama_cpp(path: str, threads: int, context: int, cache: str) -> dict[str, float]:
    """The same with llama.cpp, weights repacked as it does by default."""
    import numpy as np

    from bench.peers.llama_cpp import LlamaCpp
    from bench.peers.measure import Measure

    start = time.perf_counter()
    engine = LlamaCpp(path, threads, context, 1)
    loaded = time.perf_counter() - start
    engine.evaluate(np.array(PROMPT, np.int32))
    first = time.perf_counter() - start
    engine.seconds(Measure("pp", context - 1))
    return {"load": loaded, "first_token": first, "peak": peak_bytes()}


STARTS = {"pyinfer": start_pyinfer, "llama.cpp": start_llama_cpp}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("engine", choices=sorted(STARTS))
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--packed-cache", default="", help="folder of packed weights")
    parser.add_argument("--context", type=int, default=1024)
    args = parser.parse_args()
    start = STARTS[args.engine]
    print(json.dumps(start(args.model, args.threads, args.context, args.packed_cache)))


if __name__ == "__main__":
    main()
