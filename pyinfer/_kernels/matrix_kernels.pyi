"""Kernels that know a weight format, one call each; see :mod:`pyinfer._kernels.kernels`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

def aligned_empty(shape: int | Sequence[int], dtype: DTypeLike = ...) -> NDArray[Any]:
    """Return an uninitialised C-contiguous array whose data starts on a 64-byte line."""

class MatrixKernels:
    """The kernels of one level that know a weight format. All methods raise ValueError on a shape
    or format that does not fit and TypeError or ValueError on a wrong dtype.

    Parameters
    ----------
    isa : str, optional
        Level to use; the best available one by default. ValueError if not available.
    """

    def __init__(self, isa: str | None = None) -> None: ...
    @property
    def isa(self) -> str:
        """Token of the level."""

    def pack(self, fmt: str, rows: NDArray[np.uint8], n_cols: int) -> NDArray[np.uint8]:
        """Pack file rows into panels.

        Parameters
        ----------
        fmt : str
            Format of rows and panels.
        rows : uint8 (n_rows, row_bytes)
            Rows as a file holds them.
        n_cols : int
            Inputs per row, a multiple of the block length.

        Returns
        -------
        uint8 (ceil(n_rows / 16), ceil(n_cols / 128) * group_bytes)
            64-byte aligned; missing rows and inputs are zero weights.
        """

    def unpack(
        self, fmt: str, panels: NDArray[np.uint8], n_rows: int, n_cols: int
    ) -> NDArray[np.uint8]:
        """Undo :meth:`pack`: uint8 (n_rows, row_bytes)."""

    def quantize(
        self, fmt: str, x: NDArray[np.float32], importance: NDArray[np.float32] | None = None
    ) -> NDArray[np.uint8]:
        """Convert float32 (n_rows, n) to file rows uint8 (n_rows, row_bytes).

        ``importance`` float32 (n,) weighs the inputs of every row, as an importance matrix does;
        formats whose rounding knows no choice (floats, q8_0) ignore it.
        """

    def can_fit(self, fmt: str) -> bool:
        """Whether :meth:`fit` searches for this format."""

    def fit(
        self, fmt: str, x: NDArray[np.float32], importance: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """As :meth:`quantize`, with a small sum of importance times squared error.

        Parameters
        ----------
        fmt : str
            ValueError if :meth:`can_fit` is false.
        x : float32 (n_rows, n)
            Weights.
        importance : float32 (n,)
            One per input, at least 0.
        """

    def dequantize(self, fmt: str, blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Convert file rows uint8 (n_rows, row_bytes) to float32 (n_rows, n)."""

    def embed(self, fmt: str, panels: NDArray[np.uint8], row: int) -> NDArray[np.float32]:
        """Return one row of a packed matrix: float32 (n_groups * 128,)."""

    def act_a8(self, x: NDArray[np.float32], tile: int = 0) -> NDArray[np.uint8]:
        """Quantize activations.

        Parameters
        ----------
        x : float32 (T, n)
            n is a multiple of 128.
        tile : int
            Tokens per tile; 0 makes one tile of all T.

        Returns
        -------
        uint8 (ceil(T / tile), n / 128, tile, 192)
            One ``pi_a8_group`` per group and token; missing tokens are zero bytes.
        """

    def gemv(
        self,
        fmt: str,
        panels: NDArray[np.uint8],
        x: NDArray[np.uint8] | NDArray[np.float32],
        n_streams: int = 1,
        prefetch_near: int = 0,
        prefetch_far: int = 0,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Multiply panels with 1 to 8 tokens.

        Parameters
        ----------
        fmt : str
            Format of the panels.
        panels : uint8 (n_panels, n_groups * group_bytes)
            64-byte aligned, as :meth:`pack` returns them.
        x : uint8 (n_groups, T, 192) or float32 (T, n_groups * 128)
            One a8 tile for quantized formats, float32 rows for the others.
        n_streams : int
            1, 2 or 4 equal runs of panels walked in lockstep.
        prefetch_near, prefetch_far : int
            Bytes ahead that are prefetched into L1 and L2; 0 for none.
        out : float32 (T, n_panels * 16), optional
            Written and returned; a new array by default.
        """

    def gemm(
        self,
        fmt: str,
        panels: NDArray[np.uint8],
        x: NDArray[np.uint8] | NDArray[np.float32],
        first_group: int = 0,
        n_groups: int | None = None,
        accumulate: bool = False,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Multiply panels with whole tiles of 8 tokens, over a range of groups.

        Parameters
        ----------
        fmt : str
            Format of the panels.
        panels : uint8 (n_panels, total_groups * group_bytes)
            64-byte aligned.
        x : uint8 (n_tiles, total_groups, 8, 192) or float32 (8 * n_tiles, total_groups * 128)
            Activations.
        first_group, n_groups : int
            Range of groups of 128 inputs; all by default.
        accumulate : bool
            Go on from the sums in ``out``.
        out : float32 (8 * n_tiles, n_panels * 16), optional
            Written and returned; a new array by default.
        """
