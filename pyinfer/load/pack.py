"""Tensor bytes of a checkpoint into packed panels, slice by slice.

A reader thread fetches the next slice while the pool packs the current one, so disk and packing
overlap and never more than two slices of a tensor exist outside the arena.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from pyinfer._kernels.runtime import Runtime
from pyinfer._kernels.tensor import Arena, PackedTensor, packed_bytes
from pyinfer.load.checkpoint import Checkpoint
from pyinfer.load.formats import TensorInfo

SLICE_BYTES = 8 << 20
PANEL_ROWS = 16

Vector = npt.NDArray[np.float32]


class Packer:
    """Packs tensors of one checkpoint into one arena; ``matrix`` and ``vector`` feed the graph.

    Parameters
    ----------
    checkpoint : Checkpoint
    formats : dict
        Matrix name -> target format.
    runtime : Runtime
        Its workers pack.
    progress : callable
        Called with the file bytes done so far.
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
        self._arena = Arena(arena_bytes(checkpoint, formats))
        self._reader = ThreadPoolExecutor(1, "pyinfer-read")
        self._buffers = [np.empty(0, np.uint8), np.empty(0, np.uint8)]

    def __enter__(self) -> Packer:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.shutdown(cancel_futures=True)

    def matrix(self, name: str) -> PackedTensor:
        """Pack a two-dimensional tensor."""
        info = self._checkpoint.tensors[name]
        packed = PackedTensor(self._arena, self._formats[name], *info.shape)
        for first, data in self._slices(info):
            packed.pack(self._runtime, first, data, info.dtype)
            self._advance(len(data))
        return packed

    def vector(self, name: str) -> Vector:
        """Read a one-dimensional float tensor as float32."""
        info = self._checkpoint.tensors[name]
        raw = np.empty(info.row_bytes, np.uint8)
        self._checkpoint.read_rows(name, 0, 1, raw.data)
        self._advance(len(raw))
        if info.dtype == "bf16":
            return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
        return raw.view("<f2" if info.dtype == "f16" else "<f4").astype(np.float32)

    def _advance(self, nbytes: int) -> None:
        self._done += nbytes
        self._progress(self._done)

    def _slices(self, info: TensorInfo) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
        rows = max(PANEL_ROWS, SLICE_BYTES // info.row_bytes // PANEL_ROWS * PANEL_ROWS)
        starts = range(0, info.rows, rows)
        pending = self._reader.submit(self._read, info, 0, rows, 0)
        for i, first in enumerate(starts):
            data = pending.result()
            if i + 1 < len(starts):
                pending = self._reader.submit(self._read, info, first + rows, rows, (i + 1) % 2)
            yield first, data

    def _read(self, info: TensorInfo, first: int, rows: int, slot: int) -> npt.NDArray[np.uint8]:
        count = min(rows, info.rows - first)
        nbytes = count * info.row_bytes
        if len(self._buffers[slot]) < nbytes:
            self._buffers[slot] = np.empty(nbytes, np.uint8)
        data = self._buffers[slot][:nbytes]
        self._checkpoint.read_rows(info.name, first, count, data.data)
        return data


def arena_bytes(checkpoint: Checkpoint, formats: dict[str, str]) -> int:
    """Bytes of all packed matrices."""
    return sum(packed_bytes(fmt, *checkpoint.tensors[n].shape) for n, fmt in formats.items())


def file_bytes(checkpoint: Checkpoint) -> int:
    """Bytes of all tensors in the files."""
    return sum(info.rows * info.row_bytes for info in checkpoint.tensors.values())
