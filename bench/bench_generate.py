"""End to end: prompt and decode tokens per second of whole models.

The embedded model always runs; ``PYINFER_BENCH_MODEL`` adds a GGUF file or a folder of real size.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyinfer._kernels.runtime import cpu_name
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import LoadedModel, load_model
from pyinfer.model.step import LOGITS_LAST, Span
from pyinfer.store.places import DEMO_FOLDER

PROMPT_TOKENS = 512
MODELS = [str(DEMO_FOLDER), *filter(None, [os.environ.get("PYINFER_BENCH_MODEL")])]


@pytest.fixture(scope="module", params=MODELS, ids=lambda path: Path(path).name)
def loaded(request: pytest.FixtureRequest) -> Iterator[LoadedModel]:
    loaded = load_model(request.param, LoadOptions(ctx_size=PROMPT_TOKENS + 64))
    yield loaded
    loaded.model.close()


def _span(loaded: LoadedModel, n: int, start: int) -> Span:
    tokens = np.random.default_rng(0).integers(0, loaded.config.vocab_size, n).astype(np.int32)
    return Span(tokens, start, np.arange(loaded.model.n_blocks, dtype=np.int32), LOGITS_LAST)


def _facts(benchmark: Any, loaded: LoadedModel, tokens: int) -> None:
    """Rates from the median round; nothing when timing is off."""
    benchmark.extra_info |= {
        "model": loaded.config.name,
        "isa": loaded.model.runtime.isa,
        "threads": loaded.model.runtime.threads,
        "cpu": cpu_name(),
        "bytes_per_token": loaded.model.bytes_per_token,
    }
    if benchmark.stats is not None:
        rate = tokens / benchmark.stats.stats.median
        benchmark.extra_info["tokens_per_second"] = rate
        if tokens == 1:
            benchmark.extra_info["GB/s"] = rate * loaded.model.bytes_per_token / 1e9


def test_prompt(benchmark: Any, loaded: LoadedModel) -> None:
    benchmark.group = f"prompt of {PROMPT_TOKENS} tokens"
    benchmark(loaded.model.step, [_span(loaded, PROMPT_TOKENS, 0)])
    _facts(benchmark, loaded, PROMPT_TOKENS)


def test_decode(benchmark: Any, loaded: LoadedModel) -> None:
    benchmark.group = "decode, one token"
    loaded.model.step([_span(loaded, 16, 0)])
    benchmark(loaded.model.step, [_span(loaded, 1, 16)])
    _facts(benchmark, loaded, 1)
