"""Tensor bytes of a checkpoint into packed panels.

The pool's workers read the files themselves, a few hundred KiB at a time, and pack what they have
just read: bytes pass from the page cache through a worker's own cache into the arena, and nothing
of a tensor exists outside the arena. One call hands over many tensors at once, so that other Python
threads (the tokenizer is built meanwhile) do not slow it down.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pyinfer._kernels.runtime import Runtime
from pyinfer._kernels.tensor import Arena, PackedTensor, packed_bytes
from pyinfer._kernels.weight_files import FileJobs
from pyinfer.checkpoint.checkpoint import Checkpoint

# File bytes of one call: the step of the progress report, and how long an interrupt may wait.
BATCH_BYTES = 64 << 20
HEADS_BYTES = 8 << 20  # of one read of rows that are reordered
PANEL_ROWS = 16

Vector = npt.NDArray[np.float32]


class Packer:
    """Packs tensors of one checkpoint into one arena; ``matrix`` and ``vector`` feed the graph.

    Vectors are read when the packer is made. Matrices get their place in the arena when they are
    asked for and their contents by :meth:`run`.

    Parameters
    ----------
    checkpoint : Checkpoint
    formats : dict
        Matrix name -> target format.
    runtime : Runtime
        Its workers read and pack.
    progress : callable
        Called with the file bytes done so far.

    Attributes
    ----------
    arena : Arena
        Where the matrices are, in the order in which they were asked for.
    matrices : dict
        Name -> PackedTensor, of those.
    vectors : dict
        Name -> float32 values.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        formats: dict[str, str],
        runtime: Runtime,
        progress: Callable[[int], None],
    ) -> None:
        self._checkpoint = checkpoint
        self._formats = formats
        self._runtime = runtime
        self._progress = progress
        self._done = 0
        self._jobs = FileJobs()
        self._queued: list[tuple[str, int]] = []  # tensor and file bytes of every job
        self.arena = Arena(arena_bytes(checkpoint, formats))
        self.matrices: dict[str, PackedTensor] = {}
        self.vectors = self._read_vectors()

    def matrix(self, name: str) -> PackedTensor:
        """Give a two-dimensional tensor its place."""
        info = self._checkpoint.tensors[name]
        packed = PackedTensor(self.arena, self._formats[name], *info.shape)
        self.matrices[name] = packed
        return packed

    def vector(self, name: str) -> Vector:
        """Return a one-dimensional tensor."""
        return self.vectors[name]

    def run(self) -> None:
        """Fill the matrices, in the order of the files.

        Raises
        ------
        StoreIOError
            A file became shorter or cannot be read.
        """
        pending = 0
        for name in sorted(self.matrices, key=self._checkpoint.position):
            info = self._checkpoint.tensors[name]
            if self._checkpoint.is_rewritten(name):
                self._pack_rewritten(name)
                continue
            file, offset = self._checkpoint.location(name)
            step = max(1, BATCH_BYTES // info.row_bytes // PANEL_ROWS) * PANEL_ROWS
            for first in range(0, info.rows, step):
                rows = min(step, info.rows - first)
                if pending + rows * info.row_bytes > BATCH_BYTES and pending:
                    self._run_jobs()
                    pending = 0
                start = offset + first * info.row_bytes
                packed = self.matrices[name]
                self._jobs.add_rows(packed, first, rows, file.fileno(), start, info.dtype)
                self._queued.append((name, rows * info.row_bytes))
                pending += rows * info.row_bytes
        self._run_jobs()

    def _pack_rewritten(self, name: str) -> None:
        """Fill a matrix whose rows are reordered or decoded here, which the workers do not do."""
        info, packed = self._checkpoint.tensors[name], self.matrices[name]
        whole_heads = self._checkpoint.is_interleaved(name)
        head = self._checkpoint.config.head_dim if whole_heads else 1
        unit = math.lcm(PANEL_ROWS, head)
        step = max(1, HEADS_BYTES // info.row_bytes // unit) * unit
        raw = np.empty(min(step, info.rows) * info.row_bytes, np.uint8)
        for first in range(0, info.rows, step):
            rows = min(step, info.rows - first)
            part = raw[: rows * info.row_bytes]
            self._checkpoint.read_rows(name, first, rows, part.data)
            packed.pack(self._runtime, first, part, info.dtype)
            self._done += part.nbytes
            self._progress(self._done)

    def _read_vectors(self) -> dict[str, Vector]:
        vectors: dict[str, Vector] = {}
        for name, info in self._checkpoint.tensors.items():
            if len(info.shape) == 1:
                vectors[name] = np.empty(info.cols, np.float32)
                file, offset = self._checkpoint.location(name)
                self._jobs.add_vector(vectors[name], file.fileno(), offset, info.dtype)
                self._queued.append((name, info.row_bytes))
        self._run_jobs()
        return vectors

    def _run_jobs(self) -> None:
        if not self._queued:
            return
        failed = self._jobs.run(self._runtime)
        if failed is not None:
            job, offset, error = failed
            file, _ = self._checkpoint.location(self._queued[job][0])
            raise file.failure(offset, error)
        self._done += sum(nbytes for _, nbytes in self._queued)
        self._queued = []
        self._progress(self._done)


def arena_bytes(checkpoint: Checkpoint, formats: dict[str, str]) -> int:
    """Bytes of all packed matrices."""
    return sum(packed_bytes(fmt, *checkpoint.tensors[n].shape) for n, fmt in formats.items())


def file_bytes(checkpoint: Checkpoint) -> int:
    """Bytes of all tensors in the files."""
    return sum(info.rows * info.row_bytes for info in checkpoint.tensors.values())
