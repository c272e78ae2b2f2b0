"""The two orders in which the rows of q and k stand in files.

A rotary embedding turns pairs of values of a head. Folders, and this package, pair value i of the
first half with value i of the second half. GGUF files of some architectures were made for a
rotation of neighbours: rows 2i and 2i + 1 of a head there are rows i and i + K / 2 here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


def halves(rows: Bytes, head_dim: int) -> Bytes:
    """Return rows of whole heads, (n * K, row bytes) in the order of neighbours, as folders have
    them.
    """
    pairs = rows.reshape(-1, head_dim // 2, 2, rows.shape[1])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(rows.shape)


def neighbours(rows: Bytes, head_dim: int) -> Bytes:
    """Undo :func:`halves`."""
    pairs = rows.reshape(-1, 2, head_dim // 2, rows.shape[1])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(rows.shape)
