"""Open a model for reading: a checkpoint folder or a GGUF file, fully validated, no weight read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

from pyinfer.checkpoint.formats import FLOATS, RUNS, TensorInfo
from pyinfer.checkpoint.gguf_shards import open_gguf
from pyinfer.checkpoint.head_rows import halves
from pyinfer.checkpoint.json_file import read_json_object
from pyinfer.checkpoint.limits import MAX_CONFIG_BYTES
from pyinfer.checkpoint.model_files import ModelFiles, model_files
from pyinfer.checkpoint.quantized.matrix import QuantizedMatrix
from pyinfer.checkpoint.quantized.methods import find_quantized
from pyinfer.checkpoint.safetensors import StoredTensor, open_folder_tensors
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.config import FrequencyDivisors, GenerationDefaults, ModelConfig
from pyinfer.config_rope import gguf_rope_notes, hf_rope_notes
from pyinfer.errors import (
    ModelFormatError,
    ModelUnsupportedError,
)
from pyinfer.model.registry import (
    architecture,
    gguf_architecture,
    read_hf_config,
)
from pyinfer.model.tensors import EMBEDDING, HEAD, is_harmless

_NO_VOCABULARY = ("none", "no_vocab")
_COMPARE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class FolderTokenizer:
    """A tokenizer in a checkpoint folder (``tokenizer.json`` and its neighbours)."""

    path: Path


@dataclass(frozen=True, slots=True)
class GgufTokenizer:
    """A tokenizer inside a GGUF file.

    ``metadata`` holds the keys that begin with ``tokenizer.``; arrays of strings are lazy
    sequences, arrays of numbers NumPy views.
    """

    metadata: Mapping[str, Any]


TokenizerSource = FolderTokenizer | GgufTokenizer


class Checkpoint:
    """An open model whose names, shapes, formats and byte ranges are all checked.

    Made by :func:`open_checkpoint`; a context manager.

    Attributes
    ----------
    kind : "folder" or "gguf"
        What ``path`` is.
    path : Path
        As given to :func:`open_checkpoint`.
    config : ModelConfig
        Hyper-parameters.
    generation : GenerationDefaults
        Sampling defaults and end tokens.
    notes : tuple of str
        For the load report: what the files state and is not used, or was chosen among several.
    tensors : Mapping[str, TensorInfo]
        Exactly the tensors that the model needs, under their Hugging Face names, in the order of
        the graph.
    """

    __slots__ = (
        "_files",
        "_offsets",
        "_quantized",
        "_tokenizer",
        "config",
        "generation",
        "kind",
        "notes",
        "path",
        "tensors",
    )

    def __init__(
        self,
        kind: Literal["folder", "gguf"],
        path: Path,
        config: ModelConfig,
        generation: GenerationDefaults,
        stored: Mapping[str, StoredTensor],
        files: list[SourceFile],
        tokenizer: TokenizerSource | None,
        notes: tuple[str, ...] = (),
        quantized: Mapping[str, QuantizedMatrix] | None = None,
    ) -> None:
        self.notes = (*generation.notes, *notes)
        self._quantized = quantized or {}
        self.kind = kind
        self.path = path
        self.config = config
        self.generation = generation
        self._files = files
        self._tokenizer = tokenizer
        self.tensors: Mapping[str, TensorInfo] = _check_tensors(config, stored)
        self._offsets = {name: (stored[name].file, stored[name].offset) for name in self.tensors}

    def read_rows(self, name: str, first: int, count: int, out: memoryview) -> None:
        """Read whole rows in the format of the file. Safe to call from several threads.

        Rows are in the order of a folder, also where a GGUF file has another one.

        Parameters
        ----------
        name : str
            A key of :attr:`tensors`.
        first, count : int
            The rows [first, first + count). A one-dimensional tensor is one row.
        out : memoryview
            Writable and contiguous, of exactly ``count * row_bytes`` bytes.

        Raises
        ------
        StoreIOError
            The file became shorter, cannot be read or is closed.
        ValueError
            Rows outside the tensor, or an ``out`` of another size: a mistake of the caller.
        """
        info = self.tensors[name]
        if first < 0 or count < 0 or first + count > info.rows:
            raise ValueError(f"{name}: rows {first} to {first + count} of {info.rows}")
        if out.nbytes != count * info.row_bytes:
            raise ValueError(f"{name}: out has {out.nbytes} bytes, not {count * info.row_bytes}")
        if name in self._quantized:
            out.cast("B")[:] = self._quantized[name].encoded(first, count).data
            return
        file, offset = self._offsets[name]
        if not self.is_interleaved(name):
            file.read_into(offset + first * info.row_bytes, out)
            return
        head = self.config.head_dim
        begin, end = first // head * head, -(-(first + count) // head) * head
        raw = np.empty((end - begin, info.row_bytes), np.uint8)
        file.read_into(offset + begin * info.row_bytes, raw.reshape(-1).data)
        rows = halves(raw, head)[first - begin : first - begin + count]
        out.cast("B")[:] = rows.reshape(-1).data

    def is_interleaved(self, name: str) -> bool:
        """Whether the file holds the rows of each head in the order of neighbours; see
        :mod:`pyinfer.checkpoint.head_rows`.
        """
        table = architecture(self.config.architecture).tensors
        return self.kind == "gguf" and table.is_interleaved(name)

    def is_rewritten(self, name: str) -> bool:
        """Whether :meth:`read_rows` gives other bytes than the file holds at :meth:`location`."""
        return name in self._quantized or self.is_interleaved(name)

    @property
    def held(self) -> dict[str, str]:
        """Matrices that another library has quantized -> the format to hold their values in."""
        return {name: matrix.held for name, matrix in self._quantized.items()}

    def location(self, name: str) -> tuple[SourceFile, int]:
        """Return the open file of a tensor and the byte position of its first row."""
        return self._offsets[name]

    def position(self, name: str) -> tuple[str, int]:
        """Sort key that puts tensors into the order in which the files hold them."""
        file, offset = self._offsets[name]
        return str(file.path), offset

    def gguf_name(self, name: str) -> str:
        """Return the name that a tensor has, or would have, in a GGUF file."""
        found = architecture(self.config.architecture).tensors.gguf_name(name)
        assert found is not None, name  # names outside the table are refused when it is opened
        return found

    def tokenizer_source(self) -> TokenizerSource | None:
        """Return where the tokenizer is, or None for a model without one (token ids only)."""
        return self._tokenizer

    def close(self) -> None:
        """Close the files. No thread may be reading."""
        for file in self._files:
            file.close()

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Open a checkpoint folder or a GGUF file.

    Parameters
    ----------
    path : str or Path
        A folder with ``config.json`` and ``*.safetensors``, or a ``.gguf`` file (of a split model
        the first one).

    Raises
    ------
    ModelNotFoundError
        Nothing is there, or the folder holds no model.
    ModelFormatError
        The model is damaged or incomplete, or its parts contradict each other.
    ModelUnsupportedError
        The model is sound but does not run: architecture, feature, tensor format, pickle file.
    StoreIOError
        A file cannot be opened or read.

    Examples
    --------
    >>> from pyinfer.checkpoint.checkpoint import open_checkpoint
    >>> with open_checkpoint("DeepSeek-R1-Distill-Qwen-1.5B") as model:  # doctest: +SKIP
    ...     model.tensors["model.norm.weight"].shape
    (1536,)
    """
    path = Path(path)
    files = model_files(path)
    return _open_folder(files) if files.kind == "folder" else _open_gguf(path, files)


def check_config(data: Mapping[str, Any], name: str) -> None:
    """Raise if a model with this object in its ``config.json`` would not run.

    Raises
    ------
    ModelFormatError, ModelUnsupportedError
        As :func:`open_checkpoint`.
    """
    read_hf_config(data, name=name)


def _open_folder(found: ModelFiles) -> Checkpoint:
    folder = found.path
    data = read_json_object(folder / "config.json", MAX_CONFIG_BYTES)
    config = read_hf_config(data, name=folder.resolve().name)
    sampling = None
    if (folder / "generation_config.json").exists():
        sampling = read_json_object(folder / "generation_config.json", MAX_CONFIG_BYTES)
    generation = GenerationDefaults.from_hf(sampling, data, config.vocab_size)
    tokenizer = FolderTokenizer(folder) if (folder / "tokenizer.json").exists() else None
    files, stored = open_folder_tensors(folder, found.weights)
    try:
        config, tied = _tied(config, stored)
        expected = architecture(config.architecture).tensors.shapes(config)
        quantized = find_quantized(data, stored, expected)
        notes = (*found.notes, *hf_rope_notes(data), *tied, *quantized.notes)
        return Checkpoint(
            "folder",
            folder,
            config,
            generation,
            quantized.in_place_of(stored),
            files,
            tokenizer,
            notes,
            quantized.matrices,
        )
    except BaseException:
        for file in files:
            file.close()
        raise


def _has_parts(stored: Mapping[str, StoredTensor], name: str) -> bool:
    """Whether a matrix is there as the tensors of a quantized module."""
    prefix = name.removesuffix("weight")
    return any(f"{prefix}{part}" in stored for part in ("qweight", "weight_packed", "scales"))


def _tied(
    config: ModelConfig, stored: dict[str, StoredTensor]
) -> tuple[ModelConfig, tuple[str, ...]]:
    """What transformers 5 makes of a tied model whose file has a head."""
    head, embedding = stored.get(HEAD), stored.get(EMBEDDING)
    if not config.tie_embeddings or not (head or _has_parts(stored, HEAD)):
        return config, ()
    if head is None or (embedding is None and _has_parts(stored, EMBEDDING)):
        note = f"{HEAD} is used although the config ties it: one of the two is quantized"
        return replace(config, tie_embeddings=False), (note,)
    if embedding is None:
        stored[EMBEDDING] = stored.pop(HEAD)
        return config, (f"{HEAD} is the embedding, too: the config ties them, only it is there",)
    if _same_bytes(head, embedding):
        return config, ()
    return replace(config, tie_embeddings=False), (
        f"{HEAD} is used although the config ties it: it differs from the embedding (transformers"
        " before 5 ignored it)",
    )


def _same_bytes(one: StoredTensor, other: StoredTensor) -> bool:
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    for start in range(0, one.n_bytes, _COMPARE_BYTES):
        count = min(_COMPARE_BYTES, one.n_bytes - start)
        if one.file.read(one.offset + start, count) != other.file.read(other.offset + start, count):
            return False
    return True


# general.type (or, before there was one, general.architecture) -> what the file is.
_GGUF_KINDS = {
    "adapter": (
        "an adapter (LoRA), not a model",
        "merge it into its base model first",
    ),
    "mmproj": ("the projector of a vision model", "give the language model's own file"),
    "clip": ("the projector of a vision model", "give the language model's own file"),
    "imatrix": ("an importance matrix", "use it with: pyinfer quantize --imatrix"),
    "controlvector": ("a control vector, not a model", ""),
}


def _check_gguf_kind(path: Path, metadata: Mapping[str, Any], n_tensors: int) -> None:
    """Say what a sound GGUF file without a language model is."""
    for key in ("general.type", "general.architecture"):
        kind = metadata.get(key)
        if isinstance(kind, str) and kind in _GGUF_KINDS:
            what, hint = _GGUF_KINDS[kind]
            raise ModelUnsupportedError(f"{path.name}: {what} ({key} is {kind!r})", hint=hint)
    if n_tensors == 0 and "tokenizer.ggml.tokens" in metadata:
        raise ModelUnsupportedError(
            f"{path.name}: only a vocabulary, without weights", hint="give the whole model's file"
        )


def _open_gguf(path: Path, files: ModelFiles) -> Checkpoint:
    parts = open_gguf(files.path)
    try:
        metadata = parts[0].metadata
        _check_gguf_kind(files.path, metadata, sum(len(part.tensors) for part in parts))
        found = gguf_architecture(metadata)
        stored: dict[str, StoredTensor] = {}
        for part in parts:
            for t in part.tensors.values():
                # A foreign name keeps a mark, so that it cannot pass for a canonical one.
                name = found.tensors.hf_name(t.name) or f"gguf:{t.name}"
                stored[name] = StoredTensor(
                    t.name, t.dtype, t.shape, part.file, t.offset, t.n_bytes
                )
        divisors = stored.pop(f"gguf:{found.rope_tensor}", None)
        embedding = stored.get(EMBEDDING)
        config = found.read_gguf(
            metadata,
            vocab_rows=embedding.shape[0] if embedding and len(embedding.shape) == 2 else None,
            tie_embeddings=HEAD not in stored,
            name=path.stem,
        )
        if divisors is not None:
            config = replace(config, rope_scaling=_read_divisors(divisors, config))
        generation = GenerationDefaults.from_gguf(metadata, config.vocab_size)
        return Checkpoint(
            "gguf",
            path,
            config,
            generation,
            stored,
            [part.file for part in parts],
            _gguf_tokenizer(metadata),
            (*files.notes, *gguf_rope_notes(metadata, f"{config.architecture}.")),
        )
    except BaseException:
        for part in parts:
            part.close()
        raise


def _read_divisors(tensor: StoredTensor, config: ModelConfig) -> FrequencyDivisors:
    """Read the divisors of the rotary frequencies, which are hyper-parameters in a tensor."""
    where = f"{tensor.file.name}: tensor {tensor.name!r}"
    if config.rope_scaling is not None:
        raise ModelUnsupportedError(f"{where} beside a rotary scaling in the metadata")
    if tensor.dtype != "f32" or tensor.shape != (config.head_dim // 2,):
        raise ModelFormatError(
            f"{where} is {tensor.dtype} {tensor.shape[:4]}, expected f32 ({config.head_dim // 2},)"
        )
    values = np.empty(tensor.shape, "<f4")
    tensor.file.read_into(tensor.offset, values.data.cast("B"))
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise ModelFormatError(f"{where} holds a value that is not positive and finite")
    return FrequencyDivisors(tuple(values.tolist()))


def _gguf_tokenizer(metadata: Mapping[str, Any]) -> GgufTokenizer | None:
    kind = metadata.get("tokenizer.ggml.model", _NO_VOCABULARY[0])
    if isinstance(kind, str) and kind in _NO_VOCABULARY:
        return None
    return GgufTokenizer({k: v for k, v in metadata.items() if k.startswith("tokenizer.")})


def _check_tensors(
    config: ModelConfig, stored: Mapping[str, StoredTensor]
) -> dict[str, TensorInfo]:
    """Compare what the files hold with what the config implies; return the needed tensors."""
    table = architecture(config.architecture).tensors
    expected = table.shapes(config)
    for name, shape in expected.items():
        tensor = stored.get(name)
        if tensor is None:
            raise ModelFormatError(
                f"tensor {name!r} ({table.gguf_name(name)} in GGUF) of shape {shape} is missing",
                hint=f"the config asks for {config.n_layers} layers",
            )
        if tensor.shape != shape:
            raise ModelFormatError(
                f"{tensor.file.name}: tensor {tensor.name!r} has the shape {tensor.shape[:4]}, "
                f"expected {shape} by the config"
            )
    _check_formats({name: stored[name] for name in expected})
    for name, tensor in stored.items():
        tied_head = name == HEAD and config.tie_embeddings
        if name not in expected and not tied_head and not is_harmless(name):
            raise ModelUnsupportedError(
                f"{tensor.file.name}: tensor {tensor.name[:80]!r} is not part of a "
                f"{config.architecture} model of {config.n_layers} layers",
                hint="ignoring it could change the results",
            )
    return {name: TensorInfo(name, stored[name].dtype, expected[name]) for name in expected}


def _check_formats(needed: Mapping[str, StoredTensor]) -> None:
    bad: Counter[str] = Counter()
    example: StoredTensor | None = None
    for tensor in needed.values():
        allowed = RUNS if len(tensor.shape) == 2 else FLOATS
        if tensor.dtype not in allowed:
            bad[tensor.dtype] += 1
            example = example or tensor
    if example is None:
        return
    counts = ", ".join(f"{n} x {dtype}" for dtype, n in bad.most_common())
    runs = " ".join(RUNS if len(example.shape) == 2 else FLOATS)
    raise ModelUnsupportedError(
        f"{example.file.name}: tensor {example.name!r} is {example.dtype}, which does not run; "
        f"what runs here: {runs}",
        hint=f"{counts} of {len(needed)} tensors; use a Q4_K_M, Q6_K or Q8_0 file, or the folder",
    )
