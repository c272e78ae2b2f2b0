"""Which files of a path make a model: the one rule for loading, creating and showing.

Contents decide, not names: a GGUF file may be called ``sha256-...`` or ``model.bin``. Of a folder
the files are taken that transformers would take; what it would not read, but what is complete and
says what it is (numbered shards without an index), is read, too. What else people hold is named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyinfer.checkpoint.gguf_shards import split_siblings
from pyinfer.checkpoint.json_file import read_json_object
from pyinfer.checkpoint.limits import MAX_CONFIG_BYTES, MAX_INDEX_BYTES, MAX_SHARDS
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.errors import (
    ModelFormatError,
    ModelNotFoundError,
    ModelUnsupportedError,
    PyinferError,
    StoreIOError,
)

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
CONFIG = "config.json"
GGUF_MAGIC = b"GGUF"

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_NUMBERED = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})\.safetensors")
_SPLIT_GGUF = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})\.gguf")
_ADAPTER = "adapter_config.json"
# Weights of the same folder in the naming of their authors' own programs.
_FOREIGN = re.compile(r"(?:consolidated|adapter_model|adapters|optimizer)\b.*")
_MAX_NAMES = 8


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files that are read.

    Attributes
    ----------
    kind : "folder" or "gguf"
    path : Path
        The folder, or the (first) GGUF file.
    weights : dict of str to list of str
        File name -> tensors that an index puts there (none without an index), in order.
    notes : tuple of str
        What was chosen among several, for the load report.
    """

    kind: Literal["folder", "gguf"]
    path: Path
    weights: dict[str, list[str]]
    notes: tuple[str, ...] = ()


def model_files(path: Path) -> ModelFiles:
    """Find the files of a model.

    Parameters
    ----------
    path : Path
        A folder or a file.

    Raises
    ------
    ModelNotFoundError
        Nothing is there, or the folder holds no model.
    ModelFormatError
        Files are missing; names each of them.
    ModelUnsupportedError
        What is there is something else, and is named.
    StoreIOError
        It cannot be looked at.
    """
    try:
        if path.is_dir():
            return _in_folder(path)
        exists = path.exists()
    except (OSError, ValueError) as error:
        # A loop of links, a folder that may not be entered, a NUL byte.
        raise ModelNotFoundError(f"{str(path)!r} cannot be read as a path: {error}") from error
    if not exists:
        raise ModelNotFoundError(
            f"{str(path)!r} does not exist",
            hint="give a checkpoint folder (config.json, *.safetensors) or a .gguf file",
        )
    _check_content(path)
    return _gguf(path)


def _gguf(path: Path, *notes: str) -> ModelFiles:
    return ModelFiles("gguf", path, {part.name: [] for part in split_siblings(path)}, notes)


def _check_content(path: Path) -> None:
    """Refuse a file that is something other than GGUF by its first bytes, or else by its name."""
    file = SourceFile(path)
    try:
        head = bytes(file.read(0, min(16, file.size)))
    finally:
        file.close()
    if head.startswith(GGUF_MAGIC):
        return
    pickled = head.startswith((_ZIP, _PICKLE))
    if pickled or path.suffix.lower() in _PICKLES:
        raise _pickle_error(path.name)
    if path.suffix.lower() == ".safetensors" or head[8:9] == b"{":
        if _FOREIGN.fullmatch(path.name) and path.with_name(_ADAPTER).exists():
            raise _adapter_error(path.parent, path.name)
        raise ModelUnsupportedError(
            f"{path.name}: a safetensors file alone has no config", hint="give the folder it is in"
        )
    if path.suffix.lower() == ".onnx":
        raise ModelUnsupportedError(
            f"{path.name}: an ONNX file, which does not run here", hint=_CONVERT
        )


_CONVERT = "what runs: a folder with config.json and *.safetensors, or a GGUF file"


def _pickle_error(name: str) -> ModelUnsupportedError:
    return ModelUnsupportedError(
        f"{name}: a pickle file, which can run any code when it is read, is never opened",
        hint="convert the model to safetensors or GGUF",
    )


def _adapter_error(folder: Path, name: str) -> ModelUnsupportedError:
    base = ""
    try:
        data = read_json_object(folder / _ADAPTER, MAX_CONFIG_BYTES)
        base = f" of {str(data.get('base_model_name_or_path'))[:100]!r}"
    except PyinferError:
        pass
    return ModelUnsupportedError(
        f"{name}: an adapter (LoRA){base}, not a model",
        hint="merge it into its base model, with peft's merge_and_unload(), and load the result",
    )


def _in_folder(folder: Path) -> ModelFiles:
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise StoreIOError(f"{folder.name}: cannot be listed: {error.strerror}") from error
    shards = [name for name in names if name.endswith(".safetensors")]
    if CONFIG in names:
        if SINGLE in names or INDEX in names:
            return _by_index(folder, names)
        if found := _by_number(folder, shards) or _by_only_file(folder, shards):
            return found
    models = [n for n in names if n.endswith(".gguf") and "mmproj" not in n.lower()]
    firsts = [n for n in models if (m := _SPLIT_GGUF.fullmatch(n)) is None or int(m[2]) == 1]
    if len(firsts) == 1:
        notes = (f"{folder.name}: {firsts[0]} is used",) if len(names) > len(models) else ()
        return _gguf(folder / firsts[0], *notes)
    raise _nothing(folder, names, models)


def _by_index(folder: Path, names: Sequence[str]) -> ModelFiles:
    """The file that transformers takes first, else what the index names."""
    if SINGLE not in names:
        shards = _read_index(folder / INDEX)
        if missing := [shard for shard in shards if shard not in names]:
            raise _missing(missing, f"{INDEX} names it", len(shards))
        return ModelFiles("folder", folder, shards)
    notes = []
    if INDEX in names:
        try:
            others = [shard for shard in _read_index(folder / INDEX) if shard != SINGLE]
        except PyinferError:
            others = []
        if others:
            notes.append(f"{SINGLE} is used, not the {len(others)} files that {INDEX} names")
    more = [
        n for n in names if n.endswith(".safetensors") and n != SINGLE and not _FOREIGN.fullmatch(n)
    ]
    if more and not notes:
        notes.append(f"{SINGLE} is used, not {_listed(more)}")
    return ModelFiles("folder", folder, {SINGLE: []}, tuple(notes))


def _by_number(folder: Path, shards: Sequence[str]) -> ModelFiles | None:
    """Shards without an index: all of ``NAME-00001-of-00003.safetensors`` and so on."""
    groups: dict[tuple[str, int], list[str]] = {}
    for name in shards:
        match = _NUMBERED.fullmatch(name)
        if match is not None and not _FOREIGN.fullmatch(name) and 1 <= int(match[3]) <= MAX_SHARDS:
            groups.setdefault((match[1], int(match[3])), []).append(name)
    if not groups:
        return None
    best = max(groups, key=lambda group: (group[0] == "model", len(groups[group]) == group[1]))
    stem, count = best
    wanted = [f"{stem}-{i:05}-of-{count:05}.safetensors" for i in range(1, count + 1)]
    if missing := [name for name in wanted if name not in groups[best]]:
        raise _missing(missing, f"of {count} files by their names, without {INDEX}", count)
    note = f"{INDEX} is missing: {_listed(wanted)} by their names"
    return ModelFiles("folder", folder, {name: [] for name in wanted}, (note,))


def _by_only_file(folder: Path, shards: Sequence[str]) -> ModelFiles | None:
    """One file of another name, such as ``model.fp16.safetensors``; several are a question."""
    own = [name for name in shards if not _FOREIGN.fullmatch(name)]
    if not own:
        return None
    if len(own) > 1:
        raise ModelFormatError(
            f"{folder.name}: neither {SINGLE} nor {INDEX} is there, but several others: "
            f"{_listed(own)}",
            hint=f"rename the one that is meant to {SINGLE}",
        )
    return ModelFiles("folder", folder, {own[0]: []}, (f"{own[0]} is used: no {SINGLE} is there",))


def _missing(names: Sequence[str], why: str, count: int) -> ModelFormatError:
    return ModelFormatError(
        f"{_listed(names)}: missing, but {why}"
        if len(names) == 1
        else f"{len(names)} of {count} files are missing: {_listed(names)} ({why})",
        hint="download what is missing into the same folder",
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MAX_NAMES])
    return shown if len(names) <= _MAX_NAMES else f"{shown} and {len(names) - _MAX_NAMES} more"


def _nothing(folder: Path, names: Sequence[str], models: Sequence[str]) -> PyinferError:
    """The error for a folder without a model: what it holds instead."""
    hint = f"give the file, such as {models[0]}" if models else ""
    if len(models) > 1:
        hint = f"give one of the files: {_listed(models)}"
    if _ADAPTER in names:
        return _adapter_error(folder, folder.name)
    pickles = [name for name in names if name.endswith(_PICKLES)]
    if CONFIG not in names:
        what = ""
        if any(name.endswith(".safetensors") for name in names):
            what = ": weights, but no config.json"
        elif "model_index.json" in names:
            what = ": a diffusers pipeline"
        return ModelNotFoundError(
            f"{folder.name}: the folder holds no checkpoint{what}",
            hint=hint or "config.json is missing",
        )
    if pickles and not models:
        return _pickle_error(pickles[0])
    foreign = [n for n in names if n.endswith(".safetensors")]
    others = [n for n in names if n.endswith((".onnx", ".h5", ".msgpack", ".npz", ".ot"))]
    if "onnx" in names:
        others.append("onnx/")
    if foreign and not models:
        return ModelUnsupportedError(
            f"{folder.name}: {_listed(foreign)} names its tensors as its authors' own program does,"
            " not as transformers",
            hint=_CONVERT,
        )
    if others and not models:
        return ModelUnsupportedError(
            f"{folder.name}: no weights that run here: {_listed(others)} is of another format",
            hint=_CONVERT,
        )
    return ModelFormatError(
        f"{folder.name}: no weights: neither {SINGLE} nor {INDEX} is there", hint=hint
    )


def _read_index(path: Path) -> dict[str, list[str]]:
    """Return file name -> tensors that the index puts there."""
    weight_map = read_json_object(path, MAX_INDEX_BYTES).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelFormatError(f"{INDEX}: weight_map must be a non-empty object")
    shards: dict[str, list[str]] = {}
    for tensor, shard in weight_map.items():
        if not isinstance(shard, str) or not _is_plain(shard):
            raise ModelFormatError(
                f"{INDEX}: tensor {tensor[:80]!r} must be in a *.safetensors file of the same "
                f"folder, found {str(shard)[:80]!r}"
            )
        shards.setdefault(shard, []).append(tensor)
    if len(shards) > MAX_SHARDS:
        raise ModelFormatError(f"{INDEX}: {len(shards)} shards, expected at most {MAX_SHARDS}")
    return dict(sorted(shards.items()))


def _is_plain(name: str) -> bool:
    """Whether ``name`` is a file name and nothing that leads out of the folder."""
    return (
        name.endswith(".safetensors")
        and not name.startswith(".")
        and not any(c in name for c in "/\\\0")
        and len(name.encode("utf-8", "surrogatepass")) <= 255
    )
