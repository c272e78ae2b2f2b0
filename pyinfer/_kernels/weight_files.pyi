"""Weights from open files into panels, read and packed by the pool's workers; checksums."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer._kernels.runtime import Runtime
from pyinfer._kernels.tensor import PackedTensor

CHECKSUM_BYTES: int

class FileJobs:
    """Tensors to be read. Positions in the files must have been checked against their sizes."""

    def __len__(self) -> int: ...
    def add_rows(
        self,
        tensor: PackedTensor,
        first_row: int,
        n_rows: int,
        fd: int,
        offset: int,
        source_format: str,
    ) -> None:
        """Read rows of a matrix.

        Parameters
        ----------
        tensor : PackedTensor
            Written from row ``first_row`` on.
        first_row, n_rows : int
            Multiples of 16, unless the rows end the tensor.
        fd : int
            Open until :meth:`run` returns.
        offset : int
            Byte position of the first of these rows.
        source_format : str
            Format in the file; a different one than the tensor's is converted through f32.

        Raises
        ------
        ValueError
            The rows or the format do not fit the tensor.
        """

    def add_vector(
        self, out: npt.NDArray[np.float32], fd: int, offset: int, source_format: str
    ) -> None:
        """Read float values as float32 into ``out`` (n,), which is written."""

    def run(self, runtime: Runtime) -> tuple[int, int, int] | None:
        """Do everything that was added, and forget it.

        Returns
        -------
        None, or (index of the job, byte position, errno)
            Where reading failed; an errno of 0 means that the file ends there.
        """

def checksums(runtime: Runtime, data: Any) -> npt.NDArray[np.uint64]:
    """Checksums of ``data`` (uint8, contiguous), one for each :data:`CHECKSUM_BYTES` of it."""
