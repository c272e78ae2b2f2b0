"""Rows of one stored format into another one, slice by slice, on several threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer._kernels.kernels import Kernels
from pyinfer.checkpoint.checkpoint import Checkpoint
from pyinfer.checkpoint.formats import TensorInfo
from pyinfer.checkpoint.head_rows import neighbours
from pyinfer.errors import ModelFormatError

# Values per slice. Small, because an interrupt waits for the slices that are under way.
SLICE_VALUES = 1 << 20
# Slices under way per thread: one is converted while the next is read.
_AHEAD = 2

Bytes = npt.NDArray[np.uint8]
_FLOATS = {"f32": "<f4", "f16": "<f2"}


class RowConverter:
    """Reads tensors of a checkpoint in any format that is wanted; a context manager.

    Parameters
    ----------
    checkpoint : Checkpoint
        Read by several threads.
    threads : int
        Worker threads.
    fit : bool
        Search for the scales with the least error, where pyinfer has a search of its own for the
        format, instead of writing ggml's blocks.
    importance : Mapping, optional
        Name of a matrix in the checkpoint -> float32 (inputs,): what errors of each input count.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        threads: int,
        *,
        fit: bool = False,
        importance: Mapping[str, npt.NDArray[np.float32]] | None = None,
    ) -> None:
        self._fit = fit
        self._importance = importance or {}
        self._checkpoint = checkpoint
        self._kernels = Kernels()
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "pyinfer-convert")

    def slices(self, info: TensorInfo, dtype: str, head_dim: int = 0) -> Iterator[Bytes]:
        """Yield the bytes of a whole tensor as ``dtype``, uint8, in order.

        At most ``threads * 2`` slices of a million values are in memory. ``head_dim`` puts the rows
        of heads of that size in the order of neighbours (:mod:`pyinfer.checkpoint.head_rows`).

        Raises
        ------
        ModelFormatError
            A value is NaN or infinite, or becomes infinite in ``dtype``.
        StoreIOError
            Reading failed.
        """
        unit = head_dim or 1
        step = max(1, SLICE_VALUES // info.cols // unit) * unit
        waiting: deque[Future[Bytes]] = deque()
        for first in range(0, info.rows, step):
            count = min(step, info.rows - first)
            waiting.append(self._pool.submit(self._convert, info, first, count, dtype, head_dim))
            if len(waiting) == self._threads * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _convert(
        self, info: TensorInfo, first: int, count: int, dtype: str, head_dim: int
    ) -> Bytes:
        raw = np.empty((count, info.row_bytes), np.uint8)
        self._checkpoint.read_rows(info.name, first, count, raw.reshape(-1).data)
        if head_dim:
            raw = neighbours(raw, head_dim)
        if info.dtype == dtype:
            return raw
        values = as_f32(self._kernels, info.dtype, raw)
        _check_finite(info, first, values, "holds NaN or infinity")
        out = self._quantize(info, values, dtype)
        if dtype == "f16":
            _check_finite(info, first, out.view(np.float16), "does not fit into f16")
        return out

    def _quantize(self, info: TensorInfo, values: npt.NDArray[np.float32], dtype: str) -> Bytes:
        weight = self._importance.get(info.name)
        if self._fit and self._kernels.can_fit(dtype):
            return self._kernels.fit(
                dtype, values, np.ones(info.cols, np.float32) if weight is None else weight
            )
        return self._kernels.quantize(dtype, values, weight)

    def __enter__(self) -> RowConverter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)


def as_f32(kernels: Kernels, dtype: str, raw: Bytes) -> npt.NDArray[np.float32]:
    """Return file rows uint8 (n_rows, row_bytes) as float32 (n_rows, n), exactly.

    Floats are widened here and not by a kernel: kernels read denormal numbers as zero.
    """
    if dtype == "bf16":
        return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
    if dtype in _FLOATS:
        return raw.view(_FLOATS[dtype]).astype(np.float32)
    return kernels.dequantize(dtype, raw)


def _check_finite(info: TensorInfo, first: int, values: npt.NDArray[Any], what: str) -> None:
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise ModelFormatError(
            f"tensor {info.name!r}: row {first + int(np.argmin(finite))} {what}",
            hint="choose bf16 or f32" if "f16" in what else "the weights are damaged",
        )
