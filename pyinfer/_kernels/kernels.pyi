"""One call per raw kernel of one instruction set level.

For tests, benchmarks and file conversion; models run through the runtime. Every call runs in the
floating-point mode of the arithmetic contract (denormals are zero).
Letters: T tokens, K head size, L cached length.
"""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from pyinfer._kernels.formats import FILE_FORMATS as FILE_FORMATS
from pyinfer._kernels.formats import FORMATS as FORMATS
from pyinfer._kernels.formats import FormatInfo as FormatInfo
from pyinfer._kernels.formats import format_info as format_info
from pyinfer._kernels.matrix_kernels import MatrixKernels
from pyinfer._kernels.matrix_kernels import aligned_empty as aligned_empty
from pyinfer._kernels.runtime import ISAS as ISAS
from pyinfer._kernels.runtime import available_isas as available_isas

def v_stride(head_dim: int) -> int:
    """Row length of V and of attention partials: K rounded up to 16."""

def kv_block_bytes(head_dim: int, kv: str = ...) -> int:
    """Bytes of one cache block of one kv head: 64 tokens of K and V in "f16", "f32" or "q8_0"."""

class Kernels(MatrixKernels):
    """All kernels of one level; errors as in :class:`MatrixKernels`."""

    def rmsnorm(
        self, x: NDArray[np.float32], w: NDArray[np.float32], eps: float, n: int | None = None
    ) -> NDArray[np.float32]:
        """Return x / sqrt(mean(x^2) + eps) * w, float32 (n_padded,), n_padded a multiple of 16.

        The mean is over ``n`` values (default: all); x is zero beyond them.
        """

    def rope(
        self,
        x: NDArray[np.float32],
        cos: NDArray[np.float32],
        sin: NDArray[np.float32],
        scale: float = 1.0,
    ) -> NDArray[np.float32]:
        """Rotate one head float32 (K,) by angles given as cos and sin (K / 2,), times ``scale``."""

    def swiglu(self, gate: NDArray[np.float32], up: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return silu(gate) * up, float32 (n,)."""

    def kv_append(
        self,
        pool: NDArray[np.uint8],
        block: int,
        slot: int,
        k: NDArray[np.float32],
        v: NDArray[np.float32],
        kv: str = ...,
    ) -> None:
        """Write k and v, float32 (K,), as token ``slot`` of ``block`` into ``pool``.

        ``pool`` is uint8 (n_blocks, block_bytes), at least :func:`kv_block_bytes` per block.
        """

    def attn(
        self,
        q: NDArray[np.float32],
        limit: NDArray[np.int32],
        pool: NDArray[np.uint8],
        block_table: NDArray[np.int32],
        first: int,
        last: int,
        kv: str = ...,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Attention partials of cached tokens [first, last) of one kv head.

        Parameters
        ----------
        q : float32 (T, K)
            Queries, rotated and scaled.
        limit : int32 (T,)
            Tokens each query sees, counted from position 0; ascending.
        pool : uint8 (n_blocks, block_bytes)
            Cache; block_bytes a multiple of 64.
        block_table : int32 (ceil(last / 64),)
            Pool block of each 64 tokens.
        first, last : int
            first is a multiple of 512, last at most 512 more.
        kv : str
            Format of the cache, "f16" (default) or "f32".

        Returns
        -------
        m : float32 (T,)
            Maxima of the scores.
        l : float32 (T, 16)
            Sums of exp(score - m) in 16 lanes.
        o : float32 (T, v_stride(K))
            Weighted sums of V.
        """

    @overload
    def attn_merge(
        self,
        m: NDArray[np.float32],
        l: NDArray[np.float32],
        o: NDArray[np.float32],
        head_dim: int,
        keep: Literal[False] = ...,
    ) -> NDArray[np.float32]:
        """Merge partials m (n,), l (n, 16), o (n, stride) of one query: float32 (head_dim,).

        With ``keep=True`` the merged partial replaces the first one and nothing is returned.
        """

    @overload
    def attn_merge(
        self,
        m: NDArray[np.float32],
        l: NDArray[np.float32],
        o: NDArray[np.float32],
        head_dim: int,
        keep: Literal[True],
    ) -> None: ...
    def head_stats(self, logits: NDArray[np.float32]) -> tuple[np.float32, np.float32, bool]:
        """Return (maximum, sum of exp(x - maximum), all finite) of up to 1,024 logits."""

    def head_select(
        self, logits: NDArray[np.float32], threshold: float, capacity: int
    ) -> tuple[NDArray[np.int32], int]:
        """Return the first ``capacity`` indices of logits >= threshold, and how many there are."""
