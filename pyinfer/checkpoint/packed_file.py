"""A file with the packed weights of one model, made to be mapped.

Layout: magic, format version, length of the description (two 32-bit integers), BLAKE2b of the
description (32 bytes), the description (JSON); from 2 MiB on the arena, then all vectors as
float32. The arena begins at a multiple of a huge page and is written in large pieces, so that a
system whose page cache has huge pages maps it with them.

The description says which tensors there are, not where: positions follow from it by the rules that
the writer used. Every byte is covered by a checksum that is compared before use.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from pyinfer._kernels.runtime import Runtime
from pyinfer._kernels.tensor import MAP_ALIGNMENT, Arena, PackedTensor, packed_bytes
from pyinfer._kernels.weight_files import checksums
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.config import GenerationDefaults, ModelConfig
from pyinfer.config_rope import scaling_of_fields
from pyinfer.errors import StoreIOError
from pyinfer.model.registry import architecture

MAGIC = b"PYINFPK\n"
FORMAT_VERSION = 2
_WRITE_BYTES = 8 << 20
_HEAD = struct.Struct("<8sII32s")

Vector = npt.NDArray[np.float32]


class PackedFileError(Exception):
    """The file cannot be used. Not shown to users: the model is packed anew."""


@dataclass(frozen=True, slots=True)
class PackedModel:
    """What stands in a packed file besides the bytes.

    Attributes
    ----------
    key : str
        Identifies source, format and versions.
    config : ModelConfig
    generation : GenerationDefaults
    formats : dict
        Matrix name -> format, in the order of the arena.
    notes : tuple of str
        Exceptions of the plan.
    """

    key: str
    config: ModelConfig
    generation: GenerationDefaults
    formats: dict[str, str]
    notes: tuple[str, ...]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor."""
        return architecture(self.config.architecture).tensors.shapes(self.config)

    def arena_bytes(self) -> int:
        """Bytes of all packed matrices."""
        shapes = self.shapes()
        return sum(packed_bytes(fmt, *shapes[name]) for name, fmt in self.formats.items())

    def vectors(self) -> dict[str, int]:
        """Length of every vector, in the order of the file."""
        return {name: shape[0] for name, shape in self.shapes().items() if len(shape) == 1}


def write_packed(
    fd: int, model: PackedModel, runtime: Runtime, arena: Arena, vectors: Mapping[str, Vector]
) -> None:
    """Write a whole file into an empty one and flush it to the disk.

    Raises
    ------
    OSError
        As the system gives it, such as no space left.
    """
    tail = np.concatenate([vectors[name] for name in model.vectors()])
    sums = _digest(runtime, arena.view(), tail)
    description = json.dumps(
        {
            "key": model.key,
            "config": asdict(model.config),
            "generation": asdict(model.generation),
            "formats": model.formats,
            "notes": model.notes,
            "sums": sums,
        }
    ).encode()
    if _HEAD.size + len(description) > MAP_ALIGNMENT:
        raise OSError("the description is too long")
    digest = blake2b(description, digest_size=32).digest()
    os.posix_fallocate(fd, 0, MAP_ALIGNMENT + arena.nbytes + tail.nbytes)
    _write_at(fd, MAP_ALIGNMENT, arena.view())
    _write_at(fd, MAP_ALIGNMENT + arena.nbytes, tail.data.cast("B"))
    head = _HEAD.pack(MAGIC, FORMAT_VERSION, len(description), digest)
    _write_at(fd, 0, memoryview(head + description))
    os.fsync(fd)


def _write_at(fd: int, offset: int, data: memoryview) -> None:
    done = 0
    while done < data.nbytes:
        done += os.pwrite(fd, data[done : done + _WRITE_BYTES], offset + done)


def read_description(file: SourceFile, key: str) -> tuple[PackedModel, str]:
    """Check everything but the weights of an open file.

    Returns
    -------
    model : PackedModel
    sums : str
        Digest of the checksums of the weights.

    Raises
    ------
    PackedFileError
        Another version or model, damaged, or cut.
    """
    try:
        magic, version, length, digest = _HEAD.unpack(bytes(file.read(0, _HEAD.size)))
        if magic != MAGIC or version != FORMAT_VERSION:
            raise PackedFileError("not a packed file of this version")
        if length > MAP_ALIGNMENT - _HEAD.size:
            raise PackedFileError("the description is too long")
        raw = bytes(file.read(_HEAD.size, length))
        if blake2b(raw, digest_size=32).digest() != digest:
            raise PackedFileError("the description is damaged")
        data = json.loads(raw)
        model = PackedModel(
            key=data["key"],
            config=_config(data["config"]),
            generation=_generation(data["generation"]),
            formats=dict(data["formats"]),
            notes=tuple(data["notes"]),
        )
        matrices = {name for name, shape in model.shapes().items() if len(shape) == 2}
        n_vector_bytes = 4 * sum(model.vectors().values())
        size = MAP_ALIGNMENT + model.arena_bytes() + n_vector_bytes
        if model.key != key or model.formats.keys() != matrices or file.size != size:
            raise PackedFileError("another model, or a file that was cut")
        return model, str(data["sums"])
    except (StoreIOError, ValueError, KeyError, TypeError) as error:
        raise PackedFileError(str(error)) from error


class PackedReader:
    """The mapped weights of a packed file; ``matrix`` and ``vector`` feed the graph.

    Raises
    ------
    PackedFileError
        The weights are not those that were written, or the file became shorter.
    InsufficientMemoryError
        The system refuses to map the file.
    """

    def __init__(self, file: SourceFile, model: PackedModel, sums: str, runtime: Runtime) -> None:
        vectors = model.vectors()
        tail = np.empty(sum(vectors.values()), np.float32)
        self.arena = Arena.map_file(file.fileno(), MAP_ALIGNMENT, model.arena_bytes())
        try:
            file.read_into(MAP_ALIGNMENT + self.arena.nbytes, tail.data)
            if os.fstat(file.fileno()).st_size != file.size:
                raise PackedFileError("the file changed while it was opened")
        except StoreIOError as error:
            raise PackedFileError(str(error)) from error
        if _digest(runtime, self.arena.view(), tail) != sums:
            raise PackedFileError("the weights are damaged")
        self._name = file.name
        self._shapes = model.shapes()
        self._formats = iter(model.formats.items())
        self._vectors: dict[str, Vector] = {}
        start = 0
        for name, length in vectors.items():
            self._vectors[name] = tail[start : start + length]
            start += length

    def check(self) -> None:
        """Raise StoreIOError if the file was cut short while it was mapped."""
        if self.arena.lost:
            raise StoreIOError(
                f"{self._name}: the packed weights were cut short while they were in use",
                hint="load the model again: the file is written anew",
            )

    def matrix(self, name: str) -> PackedTensor:
        """Return a two-dimensional tensor; asked for in the order of the arena."""
        stored, fmt = next(self._formats, ("", ""))
        if stored != name:
            raise PackedFileError(f"{name} is not where it was written")
        return PackedTensor(self.arena, fmt, *self._shapes[name])

    def vector(self, name: str) -> Vector:
        """Return a one-dimensional tensor."""
        return self._vectors[name]


def _digest(runtime: Runtime, arena: memoryview, tail: Vector) -> str:
    parts = [checksums(runtime, arena), checksums(runtime, tail.view(np.uint8))]
    return blake2b(np.concatenate(parts).tobytes(), digest_size=16).hexdigest()


def _config(data: dict[str, Any]) -> ModelConfig:
    scaling = data["rope_scaling"]
    data["rope_scaling"] = None if scaling is None else scaling_of_fields(scaling)
    return ModelConfig(**data)


def _generation(data: dict[str, Any]) -> GenerationDefaults:
    data["eos_token_ids"] = tuple(data["eos_token_ids"])
    data["stated"] = tuple(data["stated"])
    data["notes"] = tuple(data["notes"])
    return GenerationDefaults(**data)
