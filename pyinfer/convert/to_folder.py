"""GGUF to checkpoint folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pyinfer._kernels.kernels import Kernels
from pyinfer.checkpoint.checkpoint import Checkpoint
from pyinfer.checkpoint.formats import FLOATS, RUNS, SAFETENSORS_TYPES, TensorInfo
from pyinfer.checkpoint.gguf_shards import open_gguf
from pyinfer.checkpoint.model_files import INDEX, SINGLE
from pyinfer.convert.output_file import OutputFile, typed_errors
from pyinfer.convert.rows import RowConverter, as_f32
from pyinfer.convert.to_gguf import Progress, Written, stored_float
from pyinfer.convert.tokenizer_files import tokenizer_files
from pyinfer.errors import UsageError
from pyinfer.machine import default_threads
from pyinfer.model.registry import architecture

MAX_SHARD_BYTES = 5_000_000_000
_WORDS = {name: word for word, (name, _) in SAFETENSORS_TYPES.items()}
_TORCH = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}


def gguf_to_folder(
    checkpoint: Checkpoint,
    out: Path,
    dtype: str | None = None,
    *,
    force: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write a GGUF file as a Hugging Face folder.

    Parameters
    ----------
    checkpoint : Checkpoint
        Of kind ``gguf``; stays open.
    out : Path
        The folder; it appears when it is whole.
    dtype : str, optional
        ``f32``, ``f16`` or ``bf16``; default: what most matrices are, f32 for quantized ones.
        Vectors become the same, unless that would change a value: they stay f32 then.
    force : bool
        Replace an existing folder.
    threads, progress
        As :func:`~pyinfer.convert.to_gguf.folder_to_gguf`.

    Raises
    ------
    UsageError
        ``dtype`` is no float format, or ``out`` cannot be the target.
    ModelFormatError, ModelUnsupportedError
        Damaged weights or tokenizer.
    StoreFullError, StoreIOError
        Reading or writing failed; nothing is left behind.
    """
    wanted = dtype or stored_float(checkpoint)
    if wanted not in FLOATS:
        raise UsageError(
            f"a folder cannot hold {wanted!r}", hint=f"use one of: {', '.join(FLOATS)}"
        )
    parts = open_gguf(checkpoint.path)
    for part in parts:
        part.close()
    metadata = parts[0].metadata
    kinds = {info.name: _kind(checkpoint, info, wanted) for info in checkpoint.tensors.values()}
    files = _json_files(checkpoint, metadata, wanted)
    total = sum(_n_bytes(info, kinds[name]) for name, info in checkpoint.tensors.items())
    with (
        _new_folder(out, force, total) as folder,
        RowConverter(checkpoint, threads or default_threads().count) as rows,
    ):
        _write_weights(folder, checkpoint, kinds, rows, progress, total)
        for name, value in files.items():
            text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
            _write_file(folder / name, [text.encode("utf-8")])
    n_weights = sum(info.rows * info.cols for info in checkpoint.tensors.values())
    found = list(kinds.values())
    counts = sorted({(kind, found.count(kind)) for kind in found}, key=lambda c: (-c[1], c[0]))
    return Written(out, total, tuple(counts), 8 * total / n_weights, ())


def _n_bytes(info: TensorInfo, kind: str) -> int:
    return info.rows * info.cols * RUNS[kind][1]


def _kind(checkpoint: Checkpoint, info: TensorInfo, wanted: str) -> str:
    """Format of a tensor in the folder."""
    if len(info.shape) == 2 or info.dtype == wanted or wanted == "f32":
        return wanted
    raw = np.empty((1, info.row_bytes), np.uint8)
    checkpoint.read_rows(info.name, 0, 1, raw.reshape(-1).data)
    kernels = Kernels()
    values = as_f32(kernels, info.dtype, raw)
    back = as_f32(kernels, wanted, kernels.quantize(wanted, values))
    return wanted if np.array_equal(values, back) else "f32"


@contextmanager
def _new_folder(out: Path, force: bool, n_bytes: int) -> Iterator[Path]:
    """A hidden neighbour of ``out`` that becomes ``out`` at the end, or disappears."""
    if not out.absolute().parent.is_dir():
        raise UsageError(f"the folder {str(out.parent)!r} does not exist")
    if out.exists() and not force:
        raise UsageError(f"{str(out)!r} exists already", hint="--force replaces it")
    if out.exists() and not (out / "config.json").is_file():
        raise UsageError(f"{str(out)!r} is no checkpoint folder, so --force does not replace it")
    hidden = out.with_name(f".{out.name[:60]}.{os.getpid()}.partial")
    with typed_errors(out):
        hidden.mkdir()
    try:
        yield hidden
        with typed_errors(out):
            if out.exists():
                shutil.rmtree(out)
            hidden.replace(out)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _write_file(path: Path, pieces: list[bytes]) -> None:
    with OutputFile(path, sum(map(len, pieces))) as file:
        for piece in pieces:
            file.write(piece)
        file.publish()


def _write_weights(
    folder: Path,
    checkpoint: Checkpoint,
    kinds: Mapping[str, str],
    rows: RowConverter,
    progress: Progress | None,
    total: int,
) -> None:
    shards = _shards(checkpoint, kinds)
    done = 0
    weight_map: dict[str, str] = {}
    for i, shard in enumerate(shards):
        name = SINGLE
        if len(shards) > 1:
            name = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        weight_map |= {info.name: name for info in shard}
        size = sum(_n_bytes(info, kinds[info.name]) for info in shard)
        with OutputFile(folder / name, size) as file:
            file.write(_safetensors_header(shard, kinds))
            for info in shard:
                for data in rows.slices(info, kinds[info.name]):
                    file.write(data.data)
                    done += data.nbytes
                    if progress is not None:
                        progress(done, total)
            file.publish()
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        _write_file(folder / INDEX, [json.dumps(index, indent=2).encode()])


def _shards(checkpoint: Checkpoint, kinds: Mapping[str, str]) -> list[list[TensorInfo]]:
    shards: list[list[TensorInfo]] = [[]]
    size = 0
    for info in checkpoint.tensors.values():
        size += _n_bytes(info, kinds[info.name])
        if size > MAX_SHARD_BYTES and shards[-1]:
            shards.append([])
            size = _n_bytes(info, kinds[info.name])
        shards[-1].append(info)
    return shards


def _safetensors_header(shard: list[TensorInfo], kinds: Mapping[str, str]) -> bytes:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for info in shard:
        end = offset + _n_bytes(info, kinds[info.name])
        header[info.name] = {
            "dtype": _WORDS[kinds[info.name]],
            "shape": list(info.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _json_files(
    checkpoint: Checkpoint, metadata: Mapping[str, Any], dtype: str
) -> dict[str, dict[str, Any]]:
    files = {"config.json": _config(checkpoint, metadata, dtype)}
    generation = checkpoint.generation
    sampling: dict[str, Any] = {}
    if generation.bos_token_id is not None:
        sampling["bos_token_id"] = generation.bos_token_id
    if generation.eos_token_ids:
        sampling["eos_token_id"] = _one_or_list(generation.eos_token_ids)
    known = {
        name: getattr(generation, name) for name in generation.stated if name != "repeat_last_n"
    }
    if known:
        sampling |= {"do_sample": known.get("temperature") != 0}
        sampling |= known
        if known.get("temperature") == 0:
            del sampling["temperature"]
    if sampling:
        files["generation_config.json"] = sampling
    if checkpoint.tokenizer_source() is not None:
        files |= tokenizer_files(metadata)
    return files


def _one_or_list(ids: tuple[int, ...]) -> int | list[int]:
    return ids[0] if len(ids) == 1 else list(ids)


def _config(checkpoint: Checkpoint, metadata: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    config, generation = checkpoint.config, checkpoint.generation
    context = int(metadata[f"{config.architecture}.context_length"])
    data = architecture(config.architecture).write_hf(config, context=context)
    data["torch_dtype"] = _TORCH[dtype]
    if generation.eos_token_ids:
        data["eos_token_id"] = _one_or_list(generation.eos_token_ids)
    if generation.bos_token_id is not None:
        data["bos_token_id"] = generation.bos_token_id
    return data
