"""Saved logits of a base model, in the format of llama.cpp's ``--kl-divergence-base``.

Layout, little endian: ``_logits_``, int32 window length, vocabulary and number of windows, the
tokens of all windows as int32; then for every scored position a float32 scale, a float32 minimum
and one uint16 per id (and one more if the vocabulary is odd). The log-probability of an id is
``scale * value + minimum``; everything below 16 nats under the best id is at the minimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.convert.output_file import OutputFile
from pyinfer.errors import ModelFormatError
from pyinfer.eval.perplexity import Logits, log_softmax_parts

MAGIC = b"_logits_"
_HEADER_BYTES = len(MAGIC) + 12
_RANGE = np.float32(16.0)
_STEPS = np.float32(65535.0)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a file holds: windows of ``n_ctx`` tokens, ``n_windows`` of them, V ids."""

    n_ctx: int
    n_vocab: int
    n_windows: int

    @property
    def scored(self) -> int:
        """Scored positions of one window."""
        return self.n_ctx - 1 - self.n_ctx // 2

    @property
    def row_bytes(self) -> int:
        """Bytes of one scored position."""
        return 2 * (2 * ((self.n_vocab + 1) // 2) + 4)

    @property
    def n_bytes(self) -> int:
        """Bytes of the file."""
        rows = self.n_windows * self.scored
        return _HEADER_BYTES + 4 * self.n_windows * self.n_ctx + rows * self.row_bytes


def encode(logits: Logits, shape: Shape) -> bytes:
    """Return the stored form of some positions; ``logits`` is float32 (n, V)."""
    maximum, log_sum = log_softmax_parts(logits)
    low = np.maximum(logits.min(axis=1), maximum - _RANGE)
    scale = (maximum - low) / _STEPS
    out = np.zeros((len(logits), shape.row_bytes // 2), np.uint16)
    head = out[:, :4].view(np.float32)
    head[:, 0] = scale
    head[:, 1] = low - maximum - log_sum.astype(np.float32)
    inverse = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale > 0)
    steps = np.rint(inverse[:, None] * (logits - low[:, None]))
    out[:, 4 : 4 + shape.n_vocab] = np.where(logits > low[:, None], steps, 0)
    return out.tobytes()


class LogitsWriter:
    """Writes a file; parts of it are never seen (see :class:`OutputFile`)."""

    def __init__(
        self, path: Path, shape: Shape, tokens: npt.NDArray[np.int32], *, force: bool = False
    ) -> None:
        self._shape = shape
        self.file = OutputFile(path, shape.n_bytes, force=force)
        facts = np.array([shape.n_ctx, shape.n_vocab, shape.n_windows], "<i4")
        self.file.write(MAGIC + facts.tobytes() + tokens.astype("<i4").tobytes())

    def add(self, logits: Logits) -> None:
        """Append scored positions, float32 (n, V)."""
        self.file.write(encode(logits, self._shape))


class LogitsReader:
    """An open file; a context manager.

    Attributes
    ----------
    shape : Shape
    tokens : int32 (n_windows, n_ctx)
        The text; the first token of a window is still that of the text and not BOS.

    Raises
    ------
    ModelFormatError
        Not such a file, damaged or incomplete.
    ModelNotFoundError, StoreIOError
        Cannot be opened or read.
    """

    def __init__(self, path: Path) -> None:
        self._file = SourceFile(path)
        try:
            self.shape = self._read_shape()
            count = self.shape.n_windows * self.shape.n_ctx
            raw = self._file.read(_HEADER_BYTES, 4 * count)
            self.tokens = np.frombuffer(raw, "<i4").reshape(self.shape.n_windows, -1)
            if count and not 0 <= self.tokens.min() <= self.tokens.max() < self.shape.n_vocab:
                raise ModelFormatError(f"{path.name}: a token is outside the vocabulary")
        except BaseException:
            self._file.close()
            raise
        self._position = _HEADER_BYTES + 4 * count

    def _read_shape(self) -> Shape:
        file = self._file
        if file.size < _HEADER_BYTES or file.read(0, len(MAGIC)) != MAGIC:
            raise ModelFormatError(f"{file.name}: no file of saved logits")
        shape = Shape(*np.frombuffer(file.read(len(MAGIC), 12), "<i4").tolist())
        if shape.n_ctx < 4 or shape.n_vocab < 1 or shape.n_windows < 1:
            raise ModelFormatError(f"{file.name}: sizes {shape} make no sense")
        if shape.n_bytes != file.size:
            raise ModelFormatError(
                f"{file.name}: {file.size:,} bytes, expected {shape.n_bytes:,}",
                hint="the file is incomplete; save it again",
            )
        return shape

    def next(self, count: int) -> npt.NDArray[np.float32]:
        """Return the log-probabilities of the next ``count`` positions, float32 (count, V)."""
        size = self.shape.row_bytes
        raw = self._file.read(self._position, count * size)
        self._position += count * size
        rows = np.frombuffer(raw, np.uint16).reshape(count, -1)
        head = np.ascontiguousarray(rows[:, :4]).view(np.float32)
        values = rows[:, 4 : 4 + self.shape.n_vocab].astype(np.float32)
        return values * head[:, :1] + head[:, 1:]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> LogitsReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
