"""The benchmark's random checkpoints: right formats, sane weights, real vocabulary."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import gguf
import numpy as np
import pytest
from safetensors import safe_open

from bench.peers import checkpoints
from bench.shapes import SHAPES, Shape
from pyinfer.checkpoint.checkpoint import FolderTokenizer, GgufTokenizer, open_checkpoint

TINY = Shape("tiny", layers=2, D=256, F=288, H=2, G=1, K=128, V=151936)


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, with one tiny shape added and slices that end inside tensors."""
    monkeypatch.setitem(SHAPES, "tiny", TINY)
    monkeypatch.setattr(checkpoints, "_SLICE_VALUES", 32 * 1000)
    return checkpoints


@pytest.mark.parametrize("fmt", ["q4_0", "q8_0", "bf16"])
def test_gguf(writer: ModuleType, test_data: Path, tmp_path: Path, fmt: str) -> None:
    path = writer.ensure(tmp_path, "tiny", fmt, test_data)
    assert writer.ensure(tmp_path, "tiny", fmt, tmp_path / "not needed again") == path
    plan = {t.hf: t.deviation for t in writer.tensors("tiny")}
    with open_checkpoint(path) as model:
        assert list(model.tensors) == list(plan)
        for name, info in model.tensors.items():
            assert info.dtype == (fmt if len(info.shape) == 2 else "f32")
            raw = np.empty((info.rows, info.row_bytes), np.uint8)
            model.read_rows(name, 0, info.rows, memoryview(raw))
            qtype = gguf.GGMLQuantizationType[info.dtype.upper()]
            values = gguf.quants.dequantize(
                raw.view(np.float32) if info.dtype == "f32" else raw, qtype
            )
            assert np.isfinite(values).all()
            if plan[name] == 0.0:
                assert (values == 1).all()
            else:
                assert abs(values.std() / plan[name] - 1) < 0.2
                assert abs(values.mean()) < 0.2 * plan[name]
        assert model.config.vocab_size == 151936
        assert model.generation.eos_token_ids == (151643,)
        source = model.tokenizer_source()
        assert isinstance(source, GgufTokenizer)
        assert source.metadata["tokenizer.ggml.tokens"][151648] == "<think>"


def test_folder(writer: ModuleType, test_data: Path, tmp_path: Path) -> None:
    writer._MAX_SHARD_BYTES = 80_000_000
    path = writer.ensure(tmp_path, "tiny", "folder", test_data)
    assert len(list(path.glob("*.safetensors"))) == 2
    assert json.loads((path / "tokenizer.json").read_text("utf-8"))["model"]["type"] == "BPE"
    with open_checkpoint(path) as model:
        assert model.tokenizer_source() == FolderTokenizer(path)
        assert {info.dtype for info in model.tensors.values()} == {"bf16"}
    shard = min(path.glob("*.safetensors"))
    with safe_open(shard, framework="numpy") as file:
        assert "model.embed_tokens.weight" in file.keys()  # noqa: SIM118  (not a dict)
