"""safetensors files: one file, or shards with an index.

A file is opened and validated by the ``safetensors`` package. Its header is then parsed once more
for the byte offsets, because rows are read by ``pread`` at offsets whatever their type (NumPy has
no bfloat16, and a mapping of a file that shrinks would kill the process).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from safetensors import SafetensorError, safe_open

from pyinfer.checkpoint.formats import SAFETENSORS_TYPES
from pyinfer.checkpoint.json_file import parse_json_object
from pyinfer.checkpoint.limits import MAX_SAFETENSORS_HEADER_BYTES
from pyinfer.checkpoint.model_files import INDEX, model_files
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.errors import ModelFormatError


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where one tensor lies; the range was checked against the file.

    Attributes
    ----------
    name : str
        As in the file.
    dtype : str
        A format name, or the file's own word for a type that does not run.
    shape : tuple of int
        Row-major.
    file : SourceFile
        The open file.
    offset, n_bytes : int
        Absolute position in the file and length.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: SourceFile
    offset: int
    n_bytes: int


def open_folder_tensors(
    folder: Path, shards: Mapping[str, Sequence[str]] | None = None
) -> tuple[list[SourceFile], dict[str, StoredTensor]]:
    """Open the files of a folder that hold its weights.

    Parameters
    ----------
    folder : Path
    shards : mapping of str to sequence of str, optional
        File name -> tensors that an index puts there. Default: as
        :func:`~pyinfer.checkpoint.model_files.model_files` finds them.

    Returns
    -------
    files : list of SourceFile
        To be closed by the caller.
    tensors : dict
        Name in the file -> tensor.

    Raises
    ------
    ModelFormatError
        A damaged file or index, a missing shard, a tensor twice or not where the index says.
    ModelNotFoundError
        A file is not there.
    StoreIOError
        A file cannot be opened or read.
    """
    shards = model_files(folder).weights if shards is None else shards
    files: list[SourceFile] = []
    tensors: dict[str, StoredTensor] = {}
    try:
        for shard, names in shards.items():
            files.append(SourceFile(folder / shard))
            found = read_header(files[-1])
            if double := tensors.keys() & found.keys():
                raise ModelFormatError(
                    f"{shard}: tensor {min(double)!r} is also in {tensors[min(double)].file.name}"
                )
            for name in names:
                if name not in found:
                    raise ModelFormatError(
                        f"{shard}: tensor {name!r} is missing, but {INDEX} says that it is there"
                    )
            tensors |= found
    except BaseException:
        for file in files:
            file.close()
        raise
    return files, tensors


def read_header(file: SourceFile) -> dict[str, StoredTensor]:
    """Validate one open file and return its tensors.

    Raises
    ------
    ModelFormatError
        The file is damaged; the message names the tensor where there is one.
    """
    length = _header_length(file)
    try:
        with safe_open(file.path, framework="numpy") as reference:
            names = set(reference.keys())
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFormatError(f"{file.name}: not a valid safetensors file: {error}") from error
    header = parse_json_object(bytes(file.read(8, length)), file.name)
    header.pop("__metadata__", None)
    tensors = {name: _tensor(file, name, entry, 8 + length) for name, entry in header.items()}
    if tensors.keys() != names:
        raise ModelFormatError(f"{file.name}: the file changed while it was opened")
    _check_cover(tensors, file, 8 + length)
    return tensors


def _header_length(file: SourceFile) -> int:
    if file.size < 8:
        raise ModelFormatError(
            f"{file.name}: {file.size} bytes, expected at least 8 for the header length"
        )
    first = bytes(file.read(0, 8))
    if first == b"version ":
        raise ModelFormatError(
            f"{file.name}: a Git LFS pointer, not the weights",
            hint="run 'git lfs pull' in the folder",
        )
    length = int.from_bytes(first, "little")
    limit = min(MAX_SAFETENSORS_HEADER_BYTES, file.size - 8)
    if length > limit:
        raise ModelFormatError(
            f"{file.name}: byte 0: the header length is {length}, expected at most {limit}"
        )
    return length


def _tensor(file: SourceFile, name: str, entry: Any, data_start: int) -> StoredTensor:
    """Read one header entry; the package has checked types and shape against the length."""
    where = f"{file.name}: tensor {name[:80]!r}"
    if not isinstance(entry, dict):
        raise ModelFormatError(f"{where}: expected an object")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or not _naturals(shape) or not _naturals(offsets):
        raise ModelFormatError(f"{where}: expected dtype, shape and data_offsets")
    if len(offsets) != 2 or not offsets[0] <= offsets[1] <= file.size - data_start:
        raise ModelFormatError(
            f"{where}: data_offsets {offsets[:2]} do not lie in the {file.size - data_start} "
            "bytes after the header"
        )
    begin, n_bytes = data_start + offsets[0], offsets[1] - offsets[0]
    runs = SAFETENSORS_TYPES.get(dtype)
    if runs is None:
        return StoredTensor(name, dtype, tuple(shape), file, begin, n_bytes)
    expected = runs[1]
    for dim in shape:
        expected *= dim
    if expected != n_bytes:
        raise ModelFormatError(
            f"{where}: {dtype} of shape {shape[:4]} takes {expected} bytes, found {n_bytes}"
        )
    return StoredTensor(name, runs[0], tuple(shape), file, begin, n_bytes)


def _naturals(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(
        isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in value
    )


def _check_cover(tensors: Mapping[str, StoredTensor], file: SourceFile, start: int) -> None:
    """Refuse overlaps, gaps and trailing bytes: the tensors must tile the rest of the file."""
    end = start
    for tensor in sorted(tensors.values(), key=lambda t: (t.offset, t.n_bytes)):
        if tensor.offset != end:
            raise ModelFormatError(
                f"{file.name}: tensor {tensor.name[:80]!r} begins at byte {tensor.offset}, "
                f"expected {end}, where the one before ends"
            )
        end += tensor.n_bytes
    if end != file.size:
        raise ModelFormatError(
            f"{file.name}: the tensors end at byte {end}, but the file has {file.size} bytes"
        )
