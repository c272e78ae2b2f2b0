"""llama.cpp through the low-level functions of llama-cpp-python (no Python per logit)."""

from __future__ import annotations

import ctypes
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.peers.measure import Measure

Tokens = npt.NDArray[np.int32]
BATCH = 512


class LlamaCpp:
    """One loaded model; ``seconds`` takes one figure."""

    has_limits = False

    def __init__(self, path: str, threads: int, context: int, sequences: int) -> None:
        import llama_cpp

        self._lib = llama_cpp
        llama_cpp.llama_backend_init()
        # Silence: a callback that must stay alive as long as the library.
        self._log = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._log, None)
        model_params = llama_cpp.llama_model_default_params()
        self._model = llama_cpp.llama_model_load_from_file(path.encode(), model_params)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = context + BATCH
        params.n_batch = params.n_ubatch = BATCH
        params.n_threads = params.n_threads_batch = threads
        params.n_seq_max = 2
        params.kv_unified = True
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        if not self._context:
            raise SystemExit(f"llama.cpp cannot load {path}")
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._filled = 0  # tokens of sequence 0 that later figures may build on

    def seconds(self, measure: Measure) -> float | None:
        """Seconds for one figure; None for what is not compared (several sequences)."""
        if measure.sequences > 1:
            return None
        self._fill(measure.depth)
        tokens = np.random.default_rng(0).integers(1000, 100_000, measure.n).astype(np.int32)
        chunk = BATCH if measure.kind == "pp" else 1
        start = time.perf_counter()
        self._evaluate(tokens, chunk)
        return time.perf_counter() - start

    def evaluate(self, tokens: Tokens) -> None:
        """Evaluate a first prompt at once."""
        self._evaluate(tokens, BATCH)

    def info(self) -> dict[str, Any]:
        """What runs."""
        system = self._lib.llama_print_system_info().decode()
        return {"engine": "llama.cpp", "binding": self._lib.__version__, "system": system}

    def _evaluate(self, tokens: Tokens, chunk: int) -> None:
        lib = self._lib
        for first in range(0, len(tokens), chunk):
            part = tokens[first : first + chunk].tolist()
            array = (lib.llama_token * len(part))(*part)
            batch = lib.llama_batch_get_one(array, len(part))
            if lib.llama_decode(self._context, batch) != 0:
                raise SystemExit("llama_decode failed")
            if chunk == 1:
                lib.llama_get_logits_ith(self._context, -1)  # waits for the result
        lib.llama_get_logits_ith(self._context, -1)

    def _fill(self, depth: int) -> None:
        """Cache ``depth`` tokens of sequence 0: the first are evaluated, the rest are copies of
        those, moved to their positions. Speed does not depend on what is cached.
        """
        lib, memory = self._lib, self._memory
        if depth == self._filled and depth:
            lib.llama_memory_seq_rm(memory, 0, depth, -1)
            return
        lib.llama_memory_clear(memory, True)
        self._filled = depth
        if not depth:
            return
        first = min(depth, BATCH)
        tokens = np.random.default_rng(1).integers(1000, 100_000, first).astype(np.int32)
        self._evaluate(tokens, BATCH)
        size = lib.llama_state_seq_get_size(self._context, 0)
        state = (ctypes.c_uint8 * size)()
        lib.llama_state_seq_get_data(self._context, state, size, 0)
        for start in range(first, depth, first):
            if not lib.llama_state_seq_set_data(self._context, state, size, 1):
                raise SystemExit("llama.cpp cannot restore a sequence")
            lib.llama_memory_seq_rm(memory, 1, min(first, depth - start), -1)
            lib.llama_memory_seq_add(memory, 1, 0, -1, start)
            lib.llama_memory_seq_cp(memory, 1, 0, -1, -1)
            lib.llama_memory_seq_rm(memory, 1, -1, -1)
        self._evaluate(tokens[:1], 1)  # carries out the moves
        lib.llama_memory_seq_rm(memory, 0, depth, -1)
        if lib.llama_memory_seq_pos_max(memory, 0) != depth - 1:
            raise SystemExit("llama.cpp does not hold the depth asked for")
