"""Opening models: every row equals the written weights; every contradiction is refused."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
import pytest

from pyinfer.checkpoint.checkpoint import (
    Checkpoint,
    FolderTokenizer,
    GgufTokenizer,
    open_checkpoint,
)
from pyinfer.errors import (
    ModelUnsupportedError,
    StoreIOError,
)

from ..checkpoints import (
    Weights,
    from_bf16,
    random_config,
    random_weights,
    write_folder,
    write_gguf,
)
from ..vocabulary import BOS_ID, EOS_ID


def read_as_float(model: Checkpoint, name: str) -> npt.NDArray[np.float32]:
    """Read a tensor row by row and widen it with outside code."""
    info = model.tensors[name]
    raw = np.empty((info.rows, info.row_bytes), np.uint8)
    for row in range(info.rows):
        model.read_rows(name, row, 1, memoryview(raw[row]))
    qtype = gguf.GGMLQuantizationType[info.dtype.upper()]
    values = gguf.quants.dequantize(raw, qtype) if info.dtype != "bf16" else widen(raw)
    result: npt.NDArray[np.float32] = values.astype(np.float32).reshape(info.shape)
    return result


def widen(raw: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return from_bf16(raw.view(np.uint16))


def compare(path: Path, weights: Weights) -> None:
    with open_checkpoint(path) as model:
        assert list(model.tensors) == list(weights)
        for name, expected in weights.items():
            np.testing.assert_array_equal(read_as_float(model, name), expected)


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("tied", [False, True])
def test_folder(tmp_path: Path, dtype: str, shards: int, tied: bool) -> None:
    config = random_config(hidden=40, heads=2, kv_heads=1, intermediate=52, vocab=300, tied=tied)
    compare(tmp_path, write_folder(tmp_path, config, dtype=dtype, shards=shards))


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16", "q8_0", "q4_0", "q5_1", "q4_1", "q5_0"])
@pytest.mark.parametrize("pure", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_gguf(tmp_path: Path, dtype: str, pure: bool, tied: bool) -> None:
    path = tmp_path / "m.gguf"
    compare(path, write_gguf(path, random_config(tied=tied), dtype=dtype, pure=pure))


def test_gguf_rows_that_fill_no_block(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    config = random_config(hidden=40, heads=2, intermediate=52)
    compare(path, write_gguf(path, config, dtype="q4_0"))
    with open_checkpoint(path) as model:
        assert {info.dtype for info in model.tensors.values()} == {"f16", "f32"}


def test_attributes(tmp_path: Path) -> None:
    folder, file, bare = tmp_path / "name", tmp_path / "name.gguf", tmp_path / "bare.gguf"
    write_folder(folder, random_config(), with_tokenizer=True)
    write_gguf(file, random_config())
    write_gguf(bare, random_config(), vocabulary=False, metadata={"qwen2.vocab_size": 320})
    with open_checkpoint(str(folder)) as a, open_checkpoint(file) as b, open_checkpoint(bare) as c:
        assert (a.kind, b.kind, a.path, b.path) == ("folder", "gguf", folder, file)
        assert a.config.name == b.config.name == "name"
        assert a.tokenizer_source() == FolderTokenizer(folder)
        source = b.tokenizer_source()
        assert isinstance(source, GgufTokenizer)
        assert source.metadata["tokenizer.ggml.tokens"][EOS_ID] == "<｜end▁of▁sentence｜>"
        assert "tokenizer.chat_template" in source.metadata
        assert "general.name" not in source.metadata
        assert c.tokenizer_source() is None
        for model in (a, b):
            assert model.generation.bos_token_id == BOS_ID
            assert model.generation.eos_token_ids == (EOS_ID,)
        assert c.generation.eos_token_ids == ()
    (folder / "tokenizer.json").unlink()
    with open_checkpoint(folder) as a:
        assert a.tokenizer_source() is None


def test_tensors_with_extra_ones(tmp_path: Path) -> None:
    """A tied head and saved rotary buffers are ignored; anything else is refused."""
    config = random_config(tied=True)
    weights = random_weights(config)
    inverse = np.ones(8, np.float32)
    more = weights | {
        "lm_head.weight": weights["model.embed_tokens.weight"],
        "model.layers.0.self_attn.rotary_emb.inv_freq": inverse,
    }
    write_folder(tmp_path, config, dtype="f32", weights=more)
    compare(tmp_path, weights)
    for name in ("model.layers.0.self_attn.o_proj.bias", "model.layers.2.mlp.up_proj.weight"):
        write_folder(tmp_path, config, dtype="f32", weights=weights | {name: inverse})
        with pytest.raises(ModelUnsupportedError, match=f"tensor '{name}' is not part of"):
            open_checkpoint(tmp_path)


def test_links_into_a_cache(tmp_path: Path) -> None:
    """The Hugging Face cache keeps files under digests and links them into a folder."""
    weights = write_folder(tmp_path / "blobs", random_config(), shards=2)
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for i, file in enumerate(sorted((tmp_path / "blobs").iterdir())):
        blob = tmp_path / f"{i:064x}"
        shutil.move(file, blob)
        (snapshot / file.name).symlink_to(blob)
    compare(snapshot, weights)
    (tmp_path / "alias").symlink_to(snapshot)
    compare(tmp_path / "alias", weights)


# --- reading ------------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path) -> Checkpoint:
    write_gguf(tmp_path / "m.gguf", random_config(), dtype="q8_0")
    return open_checkpoint(tmp_path / "m.gguf")


def test_row_ranges(model: Checkpoint) -> None:
    name = "model.layers.1.mlp.gate_proj.weight"
    info = model.tensors[name]
    assert (info.rows, info.cols, info.row_bytes) == (96, 64, 68)
    whole = np.empty((96, 68), np.uint8)
    model.read_rows(name, 0, 96, memoryview(whole))
    part = bytearray(5 * 68)
    model.read_rows(name, 91, 5, memoryview(part))
    assert part == whole[91:].tobytes()
    model.read_rows(name, 96, 0, memoryview(b""))
    norm = model.tensors["model.norm.weight"]
    assert (norm.rows, norm.cols, norm.row_bytes, norm.n_bytes) == (1, 64, 256, 256)
    model.close()


def test_mistakes_of_the_caller(model: Checkpoint) -> None:
    name, out = "model.layers.0.mlp.up_proj.weight", memoryview(bytearray(68))
    for first, count in ((-1, 1), (96, 1), (0, 97), (0, -1), (2**70, 1)):
        with pytest.raises(ValueError, match="rows"):
            model.read_rows(name, first, count, out)
    with pytest.raises(ValueError, match="out has 68 bytes, not 136"):
        model.read_rows(name, 0, 2, out)
    with pytest.raises(KeyError):
        model.read_rows("nothing", 0, 1, out)
    model.close()
    with pytest.raises(StoreIOError, match="closed"):
        model.read_rows(name, 0, 1, out)


def test_threads_and_shrinking(model: Checkpoint) -> None:
    name = "model.embed_tokens.weight"
    info = model.tensors[name]
    whole = bytearray(info.n_bytes)
    model.read_rows(name, 0, info.rows, memoryview(whole))

    def read(row: int) -> bool:
        out = bytearray(info.row_bytes)
        model.read_rows(name, row, 1, memoryview(out))
        return out == whole[row * info.row_bytes : (row + 1) * info.row_bytes]

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(read, list(range(info.rows)) * 3))
    os.truncate(model.path, model.path.stat().st_size - 1)
    last = model.tensors["lm_head.weight"]
    with pytest.raises(StoreIOError, match=r"m\.gguf: ends at byte"):
        model.read_rows("lm_head.weight", 0, last.rows, memoryview(bytearray(last.n_bytes)))
    model.close()
