"""Importance matrices as files: llama.cpp's GGUF form, and reading of its older binary form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer.checkpoint.gguf import MAGIC, GgufFile
from pyinfer.checkpoint.gguf_header import ARRAY, STRING, UINT32
from pyinfer.checkpoint.limits import MAX_TENSOR_NAME_BYTES, MAX_TENSORS
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.convert.gguf_writer import GgufWriter, OutputTensor, Pair
from pyinfer.errors import ModelFormatError
from pyinfer.eval.importance import Importance

Means = dict[str, npt.NDArray[np.float32]]

_SUMS, _COUNTS = ".in_sum2", ".counts"
_MAX_INPUTS = 1 << 20


def write_importance(
    path: Path, found: Importance, *, dataset: str, n_windows: int, n_ctx: int, force: bool = False
) -> None:
    """Write sums and counts.

    Raises
    ------
    UsageError, StoreFullError, StoreIOError
        As :class:`~pyinfer.convert.output_file.OutputFile`.
    """
    pairs = [
        Pair("general.type", STRING, "imatrix"),
        Pair("imatrix.datasets", ARRAY, [dataset]),
        Pair("imatrix.chunk_count", UINT32, n_windows),
        Pair("imatrix.chunk_size", UINT32, n_ctx),
    ]
    tensors: list[OutputTensor] = []
    data: list[npt.NDArray[np.float32]] = []
    for name, sums in sorted(found.squares.items()):
        tensors.append(OutputTensor(name + _SUMS, "f32", sums.shape))
        data.append(sums.astype("<f4"))
        tensors.append(OutputTensor(name + _COUNTS, "f32", (1,)))
        data.append(np.array([found.tokens], "<f4"))
    with GgufWriter(path, pairs, tensors, force=force) as writer:
        for values in data:
            writer.write(values.data)


def read_importance(path: Path) -> Means:
    """Read the mean squares of the inputs.

    Returns
    -------
    dict
        GGUF name of a matrix -> float32 (inputs,). Matrices that saw no token are left out.

    Raises
    ------
    ModelFormatError
        Not such a file, damaged, or with negative or non-finite values.
    ModelNotFoundError, StoreIOError
        Cannot be opened or read.
    """
    file = SourceFile(path)
    try:
        is_gguf = file.size >= 4 and int.from_bytes(file.read(0, 4), "little") == MAGIC
        means = _read_gguf(path) if is_gguf else _read_old(file)
    finally:
        file.close()
    for name, values in means.items():
        if not np.isfinite(values).all() or (values < 0).any():
            raise ModelFormatError(f"{path.name}: {name!r} holds negative or non-finite values")
    if not means:
        raise ModelFormatError(f"{path.name}: no importance of any matrix")
    return means


def _read_gguf(path: Path) -> Means:
    file = GgufFile(path)
    try:
        means: Means = {}
        for tensor in file.tensors.values():
            name = tensor.name.removesuffix(_SUMS)
            counts = file.tensors.get(name + _COUNTS)
            if name == tensor.name:
                continue
            if counts is None or tensor.dtype != "f32" or counts.dtype != "f32":
                raise ModelFormatError(f"{path.name}: {name!r} has no sums and counts in f32")
            count = _floats(file.file, counts.offset, counts.n_bytes)
            sums = _floats(file.file, tensor.offset, tensor.n_bytes)
            if len(count) != 1:
                raise ModelFormatError(f"{path.name}: {name!r} is a stack of matrices")
            if count[0] > 0:
                means[name] = sums / count[0]
        return means
    finally:
        file.close()


def _floats(file: SourceFile, offset: int, n_bytes: int) -> npt.NDArray[np.float32]:
    return np.frombuffer(file.read(offset, n_bytes), "<f4").astype(np.float32)


def _read_old(file: SourceFile) -> Means:
    """Entries of (length, name, calls, number of values, values), integers of 32 bits."""
    position = 0

    def integer(what: str, low: int, high: int) -> int:
        nonlocal position
        if position + 4 > file.size:
            raise ModelFormatError(f"{file.name}: byte {position}: the file ends before {what}")
        value = int.from_bytes(file.read(position, 4), "little", signed=True)
        if not low <= value <= high:
            raise ModelFormatError(
                f"{file.name}: byte {position}: {what} is {value}, expected {low} to {high}",
                hint="this is no importance matrix",
            )
        position += 4
        return value

    def octets(count: int, what: str) -> bytes:
        nonlocal position
        if position + count > file.size:
            raise ModelFormatError(f"{file.name}: byte {position}: the file ends inside {what}")
        position += count
        return bytes(file.read(position - count, count))

    means: Means = {}
    for _ in range(integer("the number of matrices", 1, MAX_TENSORS)):
        length = integer("the length of a name", 1, MAX_TENSOR_NAME_BYTES)
        name = octets(length, "a name").decode("utf-8", "replace")
        calls = integer(f"the calls of {name!r}", 0, (1 << 31) - 1)
        count = integer(f"the inputs of {name!r}", 1, _MAX_INPUTS)
        values = np.frombuffer(octets(4 * count, name), "<f4").astype(np.float32)
        if calls:
            means[name] = values / np.float32(calls)
    return means


def check_inputs(path: Path, means: Mapping[str, Any], inputs: Mapping[str, int]) -> None:
    """Refuse an importance matrix of another model.

    Parameters
    ----------
    path : Path
        For the message.
    means : Mapping
        As :func:`read_importance` returns it.
    inputs : Mapping[str, int]
        GGUF name -> inputs of the matrices of the model.

    Raises
    ------
    ModelFormatError
        No matrix in common, or one with another number of inputs.
    """
    common = means.keys() & inputs.keys()
    for name in sorted(common):
        if len(means[name]) != inputs[name]:
            raise ModelFormatError(
                f"{path.name}: {name!r} has {len(means[name])} inputs, the model {inputs[name]}",
                hint="the importance matrix is of another model",
            )
    if not common:
        raise ModelFormatError(f"{path.name}: none of the model's matrices is in it")
