"""Builds GGUF files byte by byte, right or wrong, and remembers where each number is."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

U8, I8, U16, I16, U32, I32, F32, BOOL, STR, ARR, U64, I64, F64 = range(13)
CODES = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B"}
CODES |= {U64: "Q", I64: "q", F64: "d"}

# (name, id, values per block, bytes per block) of the formats that run.
FORMATS = {"f32": (0, 1, 4), "f16": (1, 1, 2), "q4_0": (2, 32, 18), "q8_0": (8, 32, 34)}
FORMATS |= {"bf16": (30, 1, 2)}


@dataclass(frozen=True, slots=True)
class Field:
    """An integer in the header: what it is, where, and how many bytes it has."""

    label: str
    offset: int
    width: int


@dataclass(frozen=True, slots=True)
class Array:
    """An array value of element type ``kind``."""

    kind: int
    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor record and its data; ``dims`` in file order, ``offset`` None to follow the last."""

    name: str
    dims: tuple[int, ...]
    kind: int
    data: bytes
    offset: int | None = None


class Header:
    """Collects the bytes of a header."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.fields: list[Field] = []

    def number(self, label: str, kind: int, value: float) -> None:
        """Append one number; integers are remembered."""
        raw = struct.pack("<" + CODES[kind], value)
        if kind not in (F32, F64):
            self.fields.append(Field(label, len(self.data), len(raw)))
        self.data += raw

    def string(self, label: str, value: str | bytes) -> None:
        """Append a length and the bytes."""
        raw = value.encode() if isinstance(value, str) else value
        self.number(f"length of {label}", U64, len(raw))
        self.data += raw

    def pair(self, key: str | bytes, kind: int, value: Any) -> None:
        """Append a key and its value."""
        self.string(f"key {key!r}", key)
        self.number(f"type of {key!r}", U32, kind)
        self.value(f"{key!r}", kind, value)

    def value(self, label: str, kind: int, value: Any) -> None:
        """Append a value of any type."""
        if kind == STR:
            self.string(label, value)
        elif kind == ARR:
            self.number(f"element type of {label}", U32, value.kind)
            self.number(f"count of {label}", U64, len(value.values))
            if value.kind == STR:
                for i, text in enumerate(value.values):
                    self.string(f"{label}[{i}]", text)
            else:
                self.data += struct.pack(f"<{len(value.values)}{CODES[value.kind]}", *value.values)
        else:
            self.number(label, kind, value)


@dataclass(frozen=True, slots=True)
class Built:
    """A finished file: all bytes, where the header ends, and the header's integers."""

    data: bytes
    header_end: int
    fields: list[Field]


def build(
    pairs: Iterable[tuple[str | bytes, int, Any]],
    tensors: Sequence[Tensor] = (),
    *,
    version: int = 3,
    alignment: int = 32,
) -> Built:
    """Return a GGUF file."""
    pairs = list(pairs)
    header = Header()
    header.data += b"GGUF"
    header.number("version", U32, version)
    header.number("tensor count", U64, len(tensors))
    header.number("key count", U64, len(pairs))
    for key, kind, value in pairs:
        header.pair(key, kind, value)
    data = bytearray()
    for tensor in tensors:
        offset = -(-len(data) // alignment) * alignment if tensor.offset is None else tensor.offset
        header.string(f"tensor {tensor.name!r}", tensor.name)
        header.number(f"n_dims of {tensor.name!r}", U32, len(tensor.dims))
        for i, dim in enumerate(tensor.dims):
            header.number(f"dim {i} of {tensor.name!r}", U64, dim)
        header.number(f"type of {tensor.name!r}", U32, tensor.kind)
        header.number(f"offset of {tensor.name!r}", U64, offset)
        data += bytes(max(0, offset + len(tensor.data) - len(data)))
        data[offset : offset + len(tensor.data)] = tensor.data
    end = len(header.data)
    padding = bytes(-end % alignment) if tensors else b""
    return Built(bytes(header.data) + padding + bytes(data), end, header.fields)


def tensor(name: str, rows: int | None, cols: int, fmt: str) -> Tensor:
    """Return a tensor of valid random bytes; ``rows`` None makes it one-dimensional."""
    kind, block, size = FORMATS[fmt]
    n_bytes = (rows or 1) * (cols // block) * size
    raw = np.random.default_rng(len(name) * 1000 + cols).integers(0, 60, n_bytes, dtype=np.uint8)
    return Tensor(name, (cols,) if rows is None else (cols, rows), kind, raw.tobytes())


TOKENS = ["<a>", "b", "c", "Ġ", "日本", "", "[PAD6]", "[PAD7]"]


def small_pairs() -> list[tuple[str | bytes, int, Any]]:
    """Return metadata of a one-layer Qwen2 model; every value type occurs."""
    return [
        ("general.architecture", STR, "qwen2"),
        ("general.alignment", U32, 64),
        ("qwen2.block_count", U32, 1),
        ("qwen2.context_length", U64, 64),
        ("qwen2.embedding_length", U16, 32),
        ("qwen2.feed_forward_length", ARR, Array(U32, [32])),
        ("qwen2.attention.head_count", U8, 4),
        ("qwen2.attention.head_count_kv", I32, 2),
        ("qwen2.attention.layer_norm_rms_epsilon", F32, 1e-5),
        ("qwen2.rope.freq_base", F64, 10000.0),
        ("tokenizer.ggml.model", STR, "gpt2"),
        ("tokenizer.ggml.pre", STR, "qwen2"),
        ("tokenizer.ggml.tokens", ARR, Array(STR, TOKENS)),
        ("tokenizer.ggml.token_type", ARR, Array(I32, [3, 1, 1, 1, 1, 1, 5, 5])),
        ("tokenizer.ggml.merges", ARR, Array(STR, ["b c"])),
        ("tokenizer.ggml.eos_token_id", I64, 0),
        ("tokenizer.ggml.add_bos_token", BOOL, 0),
        ("x.i8", I8, -3),
        ("x.i16", I16, -300),
        *((f"x.a{kind}", ARR, Array(kind, [1, 0])) for kind in sorted(CODES)),
        ("x.empty", ARR, Array(STR, [])),
    ]


def small_tensors() -> list[Tensor]:
    """Return the tensors of that model; every format occurs."""
    return [
        tensor("token_embd.weight", 8, 32, "q8_0"),
        tensor("output_norm.weight", None, 32, "f32"),
        tensor("blk.0.attn_norm.weight", None, 32, "f16"),
        tensor("blk.0.attn_q.weight", 32, 32, "q4_0"),
        tensor("blk.0.attn_q.bias", None, 32, "bf16"),
        tensor("blk.0.attn_k.weight", 16, 32, "q4_0"),
        tensor("blk.0.attn_k.bias", None, 16, "f32"),
        tensor("blk.0.attn_v.weight", 16, 32, "bf16"),
        tensor("blk.0.attn_v.bias", None, 16, "f32"),
        tensor("blk.0.attn_output.weight", 32, 32, "q4_0"),
        tensor("blk.0.ffn_norm.weight", None, 32, "f32"),
        tensor("blk.0.ffn_gate.weight", 32, 32, "q8_0"),
        tensor("blk.0.ffn_up.weight", 32, 32, "f16"),
        tensor("blk.0.ffn_down.weight", 32, 32, "q4_0"),
        tensor("output.weight", 8, 32, "f32"),
    ]


def small_model() -> Built:
    """Return a small complete model: every value type and every format that runs."""
    return build(small_pairs(), small_tensors(), alignment=64)
