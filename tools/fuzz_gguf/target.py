"""What must hold for every file: it opens or a typed error says why, in bounded time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from pyinfer.checkpoint.checkpoint import open_checkpoint
from pyinfer.checkpoint.gguf import GgufFile
from pyinfer.checkpoint.gguf_header import LazyStrings
from pyinfer.config import GenerationDefaults
from pyinfer.convert.tokenizer_files import tokenizer_files
from pyinfer.errors import ModelFormatError, ModelUnsupportedError
from pyinfer.model.registry import read_gguf_config
from pyinfer.text.tokenizer import Tokenizer

EXPECTED = (ModelFormatError, ModelUnsupportedError)
CPU_SECONDS = 5.0
MAX_MESSAGE = 1000
TEXT = "The 9.11 <think>\n日本 hello"


class TooSlowError(Exception):
    """One file took more processor time than any may."""


class Target:
    """Checks files one after the other, in one file that lives in memory.

    Attributes
    ----------
    counts : Counter
        How many files reached which stage, and which errors refused them.
    """

    def __init__(self) -> None:
        self.fd = os.memfd_create("model.gguf")
        self.path = Path(f"/proc/self/fd/{self.fd}")
        self.counts: Counter[str] = Counter()
        signal.signal(signal.SIGPROF, _too_slow)

    def check(self, data: bytes, *, trace: bool = False) -> bool:
        """Check one file; whatever is wrong is an exception. Return whether it is a whole model.

        ``trace`` also compares the memory that Python allocates with what it may.
        """
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, data, 0)
        self.counts["files"] += 1
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        try:
            if not trace:
                return self._stages(data)
            tracemalloc.start()
            try:
                return self._stages(data)
            finally:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
                # The package of the tokenizer is not traced.
                assert peak < 4 * len(data) + (16 << 20), f"{peak} bytes for {len(data)}"
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def _stages(self, data: bytes) -> bool:
        with self._typed("file"):
            file = GgufFile(self.path)
            file.close()
            _read_metadata(file.metadata)
            for tensor in file.tensors.values():
                assert file.data_offset <= tensor.offset <= tensor.offset + tensor.n_bytes
                assert tensor.offset + tensor.n_bytes <= len(data)
            with self._typed("config"):
                config = read_gguf_config(file.metadata)
                GenerationDefaults.from_gguf(file.metadata, config.vocab_size)
            with self._typed("tokenizer"):
                tokenizer = Tokenizer.from_gguf(file.metadata)
                ids = tokenizer.encode(TEXT, add_special=True)
                assert all(0 <= i < tokenizer.n_tokens for i in ids)
                tokenizer.decode(ids)
            with self._typed("model"), open_checkpoint(self.path) as model:
                for name, info in model.tensors.items():
                    out = bytearray(info.n_bytes)
                    model.read_rows(name, 0, info.rows, memoryview(out))
                if model.tokenizer_source() is not None:
                    with self._typed("folder"):
                        json.dumps(tokenizer_files(file.metadata), allow_nan=False)
                return True
        return False

    @contextlib.contextmanager
    def _typed(self, stage: str) -> Iterator[None]:
        """Count what passes a stage; let through no error but the expected ones."""
        try:
            yield
        except EXPECTED as error:
            text = str(error)
            assert text.isprintable(), text[:MAX_MESSAGE]
            assert len(text) < MAX_MESSAGE, text[:MAX_MESSAGE]
            self.counts[f"{stage}: {type(error).__name__}"] += 1
        else:
            self.counts[f"{stage}: accepted"] += 1


def _read_metadata(metadata: Any) -> None:
    for key, value in metadata.items():
        assert isinstance(key, str)
        if isinstance(value, LazyStrings):
            with contextlib.suppress(ModelFormatError):
                assert len(list(value)) == len(value)
        elif isinstance(value, np.ndarray):
            assert value.tolist() is not None
        else:
            assert isinstance(value, (bool, int, float, str))


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlowError(f"more than {CPU_SECONDS} s of processor time")
