"""The tensors of one quantized module, and checks of their shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyinfer.checkpoint.safetensors import StoredTensor
from pyinfer.errors import ModelFormatError

WEIGHT = ".weight"


@dataclass(frozen=True, slots=True)
class Module:
    """A linear layer or an embedding, as the folder stores it.

    Attributes
    ----------
    prefix : str
        Its name, without ``.weight``.
    rows, cols : int
        The matrix that the model's config asks for.
    stored : mapping
        All tensors of the folder.
    """

    prefix: str
    rows: int
    cols: int
    stored: Mapping[str, StoredTensor]

    def find(self, suffix: str) -> StoredTensor | None:
        """A tensor of the module, such as ``qweight``."""
        return self.stored.get(f"{self.prefix}.{suffix}")

    def need(self, suffix: str) -> StoredTensor:
        """As :meth:`find`.

        Raises
        ------
        ModelFormatError
            It is missing.
        """
        found = self.find(suffix)
        if found is None:
            raise ModelFormatError(f"tensor '{self.prefix}.{suffix}' is missing")
        return found

    def wrong(self, tensor: StoredTensor, expected: str) -> ModelFormatError:
        """The error of a tensor that does not fit the module."""
        return ModelFormatError(
            f"{tensor.file.name}: tensor {tensor.name[:80]!r} is {tensor.dtype} of the shape "
            f"{tensor.shape[:4]}, expected {expected} for a matrix of {self.rows} x {self.cols}"
        )

    def group_size(self, groups: int, tensor: StoredTensor, configured: int | None) -> int:
        """Inputs per group, from the number of groups; the config decides where the last is short.

        Raises
        ------
        ModelFormatError
            No group size gives so many groups.
        """
        sizes = [configured] if configured and configured > 0 else []
        if groups > 0:
            sizes += [-(-self.cols // groups), self.cols // groups]
        for size in sizes:
            if size > 0 and -(-self.cols // size) == groups:
                return min(size, self.cols)
        raise self.wrong(tensor, f"a number of groups that divides {self.cols} inputs")


def contiguous_groups(group_of: npt.NDArray[np.int32], groups: int) -> int | None:
    """Group size if inputs 0, 1, 2, ... belong to groups in runs of that size, else None."""
    size = int(np.count_nonzero(group_of == 0))
    runs = np.arange(len(group_of)) // size if size else None
    if runs is None or not np.array_equal(runs, group_of) or int(runs[-1]) >= groups:
        return None
    return size
