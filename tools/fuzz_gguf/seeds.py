"""Small files from which a campaign starts: valid models of several shapes, and the corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pyinfer.checkpoint.formats import GGML_TYPES
from tests.checkpoint.gguf_bytes import (
    ARR,
    BOOL,
    F32,
    I32,
    STR,
    U32,
    Array,
    Tensor,
    build,
    small_model,
    small_pairs,
    small_tensors,
)
from tests.vocabulary import N_TOKENS, gguf_vocabulary

CORPUS = Path("tests/corpus/gguf")
Pairs = list[tuple[str | bytes, int, Any]]

_YARN: Pairs = [
    ("qwen2.rope.scaling.type", STR, "yarn"),
    ("qwen2.rope.scaling.factor", F32, 4.0),
    ("qwen2.rope.scaling.original_context_length", U32, 128),
]
_KINDS = {name: (kind, block, size) for kind, (name, block, size) in GGML_TYPES.items()}
# Two sets of formats for the matrices with rows of 256 values.
_WIDE = (
    ("q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "q4_0", "f16"),
    ("q4_1", "q5_0", "q5_1", "iq4_nl", "q8_0", "bf16", "f32"),
)


def valid() -> Iterator[tuple[str, bytes]]:
    """Yield names and files of models that load, but the one of which a part is missing."""
    yield "every-value-type", small_model().data
    for version, alignment in ((2, 8), (3, 32)):
        pairs = [p for p in small_pairs() if p[0] != "general.alignment"]
        pairs.append(("general.alignment", U32, alignment))
        data = build(pairs, small_tensors(), version=version, alignment=alignment).data
        yield f"version-{version}", data
    for number, formats in enumerate(_WIDE):
        yield f"wide-{number}", _model(256, 8, formats, [("tokenizer.ggml.model", STR, "none")])
    yield "vocabulary", _model(32, N_TOKENS, ("q8_0", "q4_0"), list(_vocabulary()))
    yield "split", _model(32, 8, ("f16",), [("split.count", U32, 2), ("split.no", U32, 0)])


def seeds() -> Iterator[tuple[str, bytes]]:
    """Yield names and files: those that load, and the hostile ones."""
    yield from valid()
    for path in sorted(CORPUS.glob("*.gguf")):
        yield path.stem, path.read_bytes()


def _vocabulary() -> Iterator[tuple[str, int, Any]]:
    for key, value in gguf_vocabulary(N_TOKENS).items():
        if isinstance(value, list):
            yield key, ARR, Array(STR if isinstance(value[0], str) else I32, value)
        else:
            kinds = {str: STR, bool: BOOL, int: U32}
            yield key, kinds[type(value)], value


def _model(width: int, rows: int, formats: tuple[str, ...], more: Pairs) -> bytes:
    """Return a model of one layer whose only large dimension is its width; heads of 2 values."""
    pairs: Pairs = [
        ("general.architecture", STR, "qwen2"),
        ("qwen2.block_count", U32, 1),
        ("qwen2.context_length", U32, 512),
        ("qwen2.embedding_length", U32, width),
        ("qwen2.feed_forward_length", U32, 5),
        ("qwen2.attention.head_count", U32, 4),
        ("qwen2.attention.head_count_kv", U32, 2),
        ("qwen2.attention.key_length", U32, 2),
        ("qwen2.attention.value_length", U32, 2),
        ("qwen2.attention.layer_norm_rms_epsilon", F32, 1e-6),
        ("qwen2.rope.freq_base", F32, 10000.0),
        *_YARN,
        *more,
    ]
    wide = {
        "token_embd": rows, "output": rows, "blk.0.attn_q": 8, "blk.0.attn_k": 4,
        "blk.0.attn_v": 4, "blk.0.ffn_gate": 5, "blk.0.ffn_up": 5,
    }  # fmt: skip
    tensors = [
        _tensor(f"{name}.weight", (width, n), formats[i % len(formats)])
        for i, (name, n) in enumerate(wide.items())
    ]
    tensors += [
        _tensor("blk.0.attn_output.weight", (8, width), "bf16"),
        _tensor("blk.0.ffn_down.weight", (5, width), "f16"),
        *(_tensor(f"{name}.weight", (width,), "f32")
          for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")),
        *(_tensor(f"blk.0.attn_{name}.bias", (n,), "f32")
          for name, n in (("q", 8), ("k", 4), ("v", 4))),
    ]  # fmt: skip
    return build(pairs, tensors).data


def _tensor(name: str, dims: tuple[int, ...], fmt: str) -> Tensor:
    kind, block, size = _KINDS[fmt]
    n_bytes = int(np.prod(dims)) // block * size
    raw = np.random.default_rng(len(name)).integers(0, 60, n_bytes, dtype=np.uint8)
    return Tensor(name, dims, kind, raw.tobytes())
