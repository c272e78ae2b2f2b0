"""Loads files that parsing accepts into the C code, and runs a step of the model on them.

    python -m tools.fuzz_gguf.native DIR/accepted --limit 500

Meant for a build with ``PYINFER_SANITIZE=address,undefined`` and the sanitizer's library preloaded:
packing, dequantizing and computing must stay inside their buffers whatever the weights are. A file
loads and computes, or a typed error says why not; anything else ends the run.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

from pyinfer._kernels.runtime import available_isas
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import load_model
from pyinfer.errors import PyinferError
from pyinfer.model.step import LOGITS_ALL, Span
from tools.fuzz_gguf.seeds import valid

LEVELS = available_isas()
TOKENS = 5


def run(path: Path, isa: str, kv_type: str | None) -> str:
    """Load one file and compute with it; return what came of it."""
    try:
        loaded = load_model(path, LoadOptions(threads=2, isa=isa, ctx_size=64, kv_type=kv_type))
    except PyinferError as error:
        return type(error).__name__
    model = loaded.model
    try:
        tokens = np.arange(TOKENS, dtype=np.int32) % model.config.vocab_size
        blocks = np.zeros(1, dtype=np.int32)
        rows = model.step([Span(tokens, 0, blocks, LOGITS_ALL)])
        return "finite" if all(row.finite for row in rows) else "not finite"
    except PyinferError as error:
        return type(error).__name__
    finally:
        model.close()


def main() -> None:
    """Load the seeds and a sample of a folder, each on one level after the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=500)
    options = parser.parse_args()
    folder = options.folder
    for name, data in valid():
        (folder / f"seed-{name}.gguf").write_bytes(data)
    counts: Counter[str] = Counter()
    paths = sorted(folder.glob("*.gguf"), key=lambda path: (path.name[:4] != "seed", path.name))
    for number, path in enumerate(paths[: options.limit]):
        seed = path.name.startswith("seed")
        for isa in LEVELS if seed else (LEVELS[number % len(LEVELS)],):
            kv_type = (None, "f32")[number % 2]
            counts[f"{isa}: {run(path, isa, kv_type)}"] += 1
    print(json.dumps(dict(sorted(counts.items())), indent=1))


if __name__ == "__main__":
    main()
