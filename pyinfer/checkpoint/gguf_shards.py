"""A GGUF model in one file, or split into ``NAME-00001-of-00003.gguf`` and so on."""

from __future__ import annotations

import re
from pathlib import Path

from pyinfer.checkpoint.gguf import GgufFile
from pyinfer.checkpoint.limits import MAX_SPLITS
from pyinfer.config_fields import show
from pyinfer.errors import ModelFormatError, ModelNotFoundError

_SPLIT_NAME = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})\.gguf", re.DOTALL)


def open_gguf(path: Path) -> list[GgufFile]:
    """Open a GGUF file and, if it is the first part of a split model, the other parts.

    Returns
    -------
    list of GgufFile
        The first holds the metadata; tensor names are unique over all. The caller closes them.

    Raises
    ------
    ModelFormatError
        As :class:`~pyinfer.checkpoint.gguf.GgufFile`; also a missing part, a part of another model,
        or a path that is not the first part.
    ModelUnsupportedError, ModelNotFoundError, StoreIOError
        As :class:`~pyinfer.checkpoint.gguf.GgufFile`.
    """
    files = [GgufFile(path)]
    try:
        count = _split_field(files[0], "split.count", 1)
        if count > 1:
            _open_rest(files, path, count)
    except BaseException:
        for file in files:
            file.close()
        raise
    return files


def split_siblings(path: Path) -> list[Path]:
    """The files of a model by their names: ``path``, or all parts if it is the first of several."""
    match = _SPLIT_NAME.fullmatch(path.name)
    if match is None or not 1 <= int(match[3]) <= MAX_SPLITS:
        return [path]
    count = int(match[3])
    return [path.with_name(f"{match[1]}-{i:05}-of-{count:05}.gguf") for i in range(1, count + 1)]


def _open_rest(files: list[GgufFile], path: Path, count: int) -> None:
    match = _SPLIT_NAME.fullmatch(path.name)
    if match is None or int(match[3]) != count:
        raise ModelFormatError(
            f"{path.name}: part of a model in {count} files, expected a name that ends in "
            f"-00001-of-{count:05}.gguf"
        )
    number = _split_field(files[0], "split.no", 0)
    if number != 0:
        raise ModelFormatError(
            f"{path.name}: part {number + 1} of {count}",
            hint=f"open the first part, {match[1]}-00001-of-{count:05}.gguf",
        )
    names = set(files[0].tensors)
    for index in range(1, count):
        part = path.with_name(f"{match[1]}-{index + 1:05}-of-{count:05}.gguf")
        try:
            files.append(GgufFile(part))
        except ModelNotFoundError as error:
            raise ModelFormatError(
                f"{part.name}: missing, part {index + 1} of {count}",
                hint="all parts must be in one folder",
            ) from error
        found = (_split_field(files[-1], "split.no", 0), _split_field(files[-1], "split.count", 1))
        if found != (index, count):
            raise ModelFormatError(
                f"{part.name}: split.no and split.count are {found}, expected {(index, count)}"
            )
        if double := names & files[-1].tensors.keys():
            raise ModelFormatError(f"{part.name}: tensor {min(double)!r} is in an earlier part too")
        names |= files[-1].tensors.keys()
    total = files[0].metadata.get("split.tensors.count", len(names))
    if isinstance(total, bool) or not isinstance(total, int) or total != len(names):
        raise ModelFormatError(
            f"{path.name}: split.tensors.count is {show(total)}, "
            f"the parts hold {len(names)} tensors"
        )


def _split_field(file: GgufFile, key: str, default: int) -> int:
    value = file.metadata.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SPLITS:
        raise ModelFormatError(f"{file.file.name}: {key} must be an integer from 0 to {MAX_SPLITS}")
    return value
