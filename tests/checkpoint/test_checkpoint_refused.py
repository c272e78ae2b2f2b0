"""Models that contradict themselves, and paths that hold no model: each refused with its reason."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyinfer.checkpoint.checkpoint import open_checkpoint
from pyinfer.errors import (
    ModelFormatError,
    ModelNotFoundError,
    ModelUnsupportedError,
    PyinferError,
)

from ..checkpoints import random_config, random_weights, safetensors_bytes, write_folder
from .gguf_bytes import STR, U32, Built, Tensor, build, small_pairs, small_tensors, tensor


def refuse(path: Path, kind: type[PyinferError], match: str) -> None:
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    with pytest.raises(kind, match=match):
        open_checkpoint(path)
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before


def test_each_tensor_missing_or_of_another_shape_in_a_folder(tmp_path: Path) -> None:
    config = random_config(layers=1)
    weights = random_weights(config)
    for name, values in weights.items():
        rest = {n: v for n, v in weights.items() if n != name}
        write_folder(tmp_path, config, dtype="f32", weights=rest)
        refuse(tmp_path, ModelFormatError, f"tensor '{name}' .* is missing")
        for axis in range(values.ndim):
            for change in (-1, 1):
                shape = [n + change * (i == axis) for i, n in enumerate(values.shape)]
                wrong = np.zeros(shape, np.float32)
                write_folder(tmp_path, config, dtype="f32", weights=weights | {name: wrong})
                refuse(tmp_path, ModelFormatError, f"tensor '{name}' has the shape")
        flat = values.reshape(1, -1) if values.ndim == 1 else values.reshape(-1)
        write_folder(tmp_path, config, dtype="f32", weights=weights | {name: flat})
        refuse(tmp_path, ModelFormatError, f"tensor '{name}' has the shape")


def small(change: Callable[[list[Tensor]], list[Tensor]]) -> Built:
    return build(small_pairs(), change(small_tensors()), alignment=64)


def test_each_tensor_missing_or_of_another_shape_in_gguf(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    for i, old in enumerate(small_tensors()):
        if old.name != "output.weight":  # without it the embeddings are tied
            path.write_bytes(small(lambda ts, i=i: ts[:i] + ts[i + 1 :]).data)
            refuse(path, ModelFormatError, "is missing|embedding")
        rows = old.dims[1] if len(old.dims) == 2 else None
        wrong = [tensor(old.name, (rows or 0) + 1, old.dims[0], "f32")]
        wrong.append(tensor(old.name, rows, old.dims[0] + 32, "f32"))
        if rows is not None and old.name != "token_embd.weight":
            wrong.append(tensor(old.name, rows - 1, old.dims[0], "f32"))
        for bad in wrong:
            path.write_bytes(small(lambda ts, i=i, bad=bad: [*ts[:i], bad, *ts[i + 1 :]]).data)
            refuse(path, ModelFormatError, "has the shape")


def test_embedding_with_fewer_rows_than_tokens(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(small(lambda ts: [tensor("token_embd.weight", 7, 32, "q8_0"), *ts[1:-1]]).data)
    refuse(path, ModelFormatError, r"tokenizer\.ggml\.tokens must be at most 7")
    path.write_bytes(small(lambda ts: [tensor("token_embd.weight", 9, 32, "q8_0"), *ts[1:-1]]).data)
    with open_checkpoint(path) as model:
        assert (model.config.vocab_size, model.config.tie_embeddings) == (9, True)


def test_formats_that_do_not_run(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    for kind, name, block, size in (
        (23, "iq4_xs", 256, 136),
        (2, "q4_0", 32, 18),
        (24, "i8", 1, 1),
    ):
        cols = 256 if block == 256 else 32
        pairs = [p for p in small_pairs() if p[0] != "qwen2.embedding_length"]
        if block == 256:
            bad = Tensor("token_embd.weight", (cols, 8), kind, bytes(8 * size))
            pairs.append(("qwen2.embedding_length", U32, 256))
            tensors = [bad, *widened(small_tensors()[1:])]
            match = (
                r"'token_embd\.weight' is iq4_xs, which does not run; "
                r"what runs here: f32 .* q8_0 .* q3_k q2_k\."
            )
        else:
            bad = Tensor("output_norm.weight", (32,), kind, bytes(32 // block * size))
            pairs.append(("qwen2.embedding_length", U32, 32))
            tensors = [t if t.name != bad.name else bad for t in small_tensors()]
            match = rf"norm\.weight' is {name}, which does not run; what runs here: f32 f16 bf16\."
        path.write_bytes(build(pairs, tensors, alignment=64).data)
        refuse(path, ModelUnsupportedError, match)


def widened(tensors: list[Tensor]) -> list[Tensor]:
    """Return the tensors in f32, with each dimension of the width 256 instead of 32."""
    inner = {"blk.0.ffn_gate.weight", "blk.0.ffn_up.weight"}
    result = []
    for t in tensors:
        cols, rows = t.dims[0], t.dims[1] if len(t.dims) == 2 else None
        if t.name == "blk.0.ffn_down.weight":
            rows = 256
        elif t.name in inner:
            cols = 256
        elif "attn_k" in t.name or "attn_v" in t.name:
            cols, rows = (128, None) if rows is None else (256, 128)
        else:
            cols, rows = 256, {None: None, 8: 8}.get(rows, 256)
        result.append(tensor(t.name, rows, cols, "f32"))
    return result


def test_foreign_tensors_in_gguf(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    for name in ("rope_freqs.weight", "blk.0.attn_output.bias", "model.norm.weight", "blk.1.x"):
        path.write_bytes(small(lambda ts, n=name: [*ts, tensor(n, None, 32, "f32")]).data)
        refuse(path, ModelUnsupportedError, f"tensor '{name}' is not part of a qwen2 model")
    # A foreign name may not stand in for a canonical one either.
    path.write_bytes(
        small(lambda ts: [ts[0], tensor("model.norm.weight", None, 32, "f32"), *ts[2:]]).data
    )
    refuse(path, ModelFormatError, r"'model\.norm\.weight' \(output_norm\.weight in GGUF\)")


def test_folder_formats_that_do_not_run(tmp_path: Path) -> None:
    config = random_config(layers=1)
    write_folder(tmp_path, config)
    entries = [
        (name, "F64", values.astype(np.float64)) for name, values in random_weights(config).items()
    ]
    (tmp_path / "model.safetensors").write_bytes(safetensors_bytes(entries))
    refuse(tmp_path, ModelUnsupportedError, "is F64, which does not run.*15 x F64 of 15")


def test_config_files(tmp_path: Path) -> None:
    write_folder(tmp_path, random_config(), with_tokenizer=True)
    for name in ("config.json", "generation_config.json"):
        good = (tmp_path / name).read_bytes()
        for bad in (b"", b"[]", b"\xff", b'{"a": NaN}', b"{" * 99, b" " * ((4 << 20) + 1)):
            (tmp_path / name).write_bytes(bad)
            refuse(tmp_path, ModelFormatError, name.replace(".", r"\."))
        (tmp_path / name).unlink()
        (tmp_path / name).mkdir()
        refuse(tmp_path, ModelFormatError, "not a regular file")
        (tmp_path / name).rmdir()
        (tmp_path / name).write_bytes(good)
    (tmp_path / "config.json").write_text(json.dumps(random_config(layers=3)))
    refuse(tmp_path, ModelFormatError, r"model\.layers\.2.* is missing")
    (tmp_path / "config.json").write_text(json.dumps(random_config(model_type="gpt2")))
    refuse(tmp_path, ModelUnsupportedError, "gpt2")


def test_paths(tmp_path: Path) -> None:
    refuse(tmp_path / "none", ModelNotFoundError, "does not exist")
    refuse(tmp_path, ModelNotFoundError, r"holds no checkpoint.*config\.json is missing")
    refuse(Path("nul\0byte"), ModelNotFoundError, r"nul\\x00byte")
    (tmp_path / "a.gguf").write_bytes(b"")
    refuse(tmp_path, ModelFormatError, "the file ends at byte 0")  # the only model is meant
    (tmp_path / "b.gguf").write_bytes(b"")
    refuse(tmp_path, ModelNotFoundError, r"give one of the files: a\.gguf, b\.gguf")
    refuse(tmp_path / "a.gguf", ModelFormatError, "the file ends at byte 0")
    os.mkfifo(tmp_path / "fifo.gguf")
    refuse(tmp_path / "fifo.gguf", ModelFormatError, "not a regular file")
    refuse(Path("/dev/null"), ModelFormatError, "not a regular file")
    (tmp_path / "dangling.gguf").symlink_to(tmp_path / "gone")
    refuse(tmp_path / "dangling.gguf", ModelNotFoundError, "does not exist")
    (tmp_path / "loop.gguf").symlink_to(tmp_path / "loop.gguf")
    refuse(tmp_path / "loop.gguf", PyinferError, "loop")
    (tmp_path / "m.safetensors").write_bytes(b"")
    refuse(tmp_path / "m.safetensors", ModelUnsupportedError, "give the folder it is in")


def test_pickles_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pytorch_model.bin", "model.pt", "model.pth", "x.ckpt", "x.pkl"):
        (tmp_path / name).write_bytes(b"\x80\x04")
        refuse(
            tmp_path / name, ModelUnsupportedError, f"{name}: a pickle file.*safetensors or GGUF"
        )
    (tmp_path / "config.json").write_text(json.dumps(random_config()))
    refuse(tmp_path, ModelUnsupportedError, "model.pt: a pickle file")


def test_folder_without_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(random_config()))
    refuse(tmp_path, ModelFormatError, "no weights: neither model.safetensors nor")


def test_metadata_deleted_doubled_or_of_another_type(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    needed = {
        "general.architecture",
        "qwen2.block_count",
        "qwen2.context_length",
        "qwen2.embedding_length",
        "qwen2.feed_forward_length",
        "qwen2.attention.head_count",
        "qwen2.attention.layer_norm_rms_epsilon",
    }
    typed = needed | {
        "qwen2.rope.freq_base",
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.eos_token_id",
    }
    pairs: list[Any] = small_pairs()
    for i, (key, _, _) in enumerate(pairs):
        doubled = build([*pairs, pairs[i]], small_tensors(), alignment=64)
        path.write_bytes(doubled.data)
        refuse(path, ModelFormatError, f"key '{key}' appears twice")
        if key in needed:
            path.write_bytes(build(pairs[:i] + pairs[i + 1 :], small_tensors(), alignment=64).data)
            refuse(path, ModelFormatError, f"{key} is missing")
        if key in typed:
            other = (key, U32, 3) if key.endswith((".architecture", ".tokens")) else (key, STR, "x")
            changed = [*pairs[:i], other, *pairs[i + 1 :]]
            path.write_bytes(build(changed, small_tensors(), alignment=64).data)
            refuse(path, ModelFormatError, f"{key} must be")
