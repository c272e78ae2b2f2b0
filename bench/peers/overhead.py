"""What a decode step costs besides the kernels: Python, engine, sampler, pool.

    python -m bench.peers.overhead --model FILE --threads 2

Prints one JSON object, seconds and rates:

- ``token``: from one token to the next through the whole library (engine thread, sampler,
  detokenizer, stream), median; ``program``: of that, inside the one call that runs the model.
- ``empty``: a step of a model with as many layers and nothing to compute: barriers and dispatch.
- ``embedded``: tokens per second of the embedded model through the library, greedy.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import pyinfer
from bench.peers.checkpoints import write_folder
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import load_model
from pyinfer.diagnose.stepping import Stepper
from pyinfer.loading import load
from pyinfer.model.model import Model

TOKENS = 96
EMBEDDED_TOKENS = 1024
PROMPT = (9707, 11, 1879, 0)


def through_the_library(path: str, threads: int) -> dict[str, float]:
    """Time from token to token, and the part of it inside the model."""
    inside: list[float] = []
    step = Model.step

    def timed(self: Model, spans: Any, cancel: Any = None) -> Sequence[Any]:
        start = time.perf_counter()
        try:
            return step(self, spans, cancel)
        finally:
            inside.append(time.perf_counter() - start)

    params = pyinfer.SamplingParams(temperature=0, max_tokens=TOKENS,
                                    ignore_eos=True)  # fmt: skip
    Model.step = timed  # type: ignore[method-assign, assignment]
    try:
        with load(path, threads=threads, ctx_size=1024) as llm:
            llm.generate(token_ids=PROMPT, params=params)
            inside.clear()
            result = llm.generate(token_ids=PROMPT, params=params)
    finally:
        Model.step = step  # type: ignore[method-assign]
    token = 1 / result.timings.decode_per_second
    return {"token": token, "program": statistics.mean(inside[1:])}


def empty_step(threads: int) -> float:
    """Seconds of a step that has nothing to compute."""
    with TemporaryDirectory() as folder:
        path = write_folder(Path(folder) / "empty", "empty", None)
        loaded = load_model(path, LoadOptions(threads=threads, ctx_size=512, dtype="q8_0"))
        stepper = Stepper(loaded.model)
        times = [stepper.decode(50) / 50 for _ in range(20)]
        loaded.model.close()
    return statistics.median(times)


def embedded_rate(threads: int | None) -> float:
    """Tokens per second of the embedded model, one stream."""
    params = pyinfer.SamplingParams(temperature=0, max_tokens=EMBEDDED_TOKENS, ignore_eos=True)
    ids = np.arange(1, 9)
    with load(threads=threads) as llm:
        rates = [llm.generate(token_ids=ids + i, params=params).timings.decode_per_second
                 for i in range(5)]  # fmt: skip
    return statistics.median(rates)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    result = through_the_library(args.model, args.threads)
    result["empty"] = empty_step(args.threads)
    result["embedded"] = embedded_rate(args.threads)
    result["embedded_one_thread"] = embedded_rate(1)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
