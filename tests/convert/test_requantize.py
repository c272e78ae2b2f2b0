"""GGUF to GGUF: reference blocks, metadata kept, importance, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from pyinfer._kernels.kernels import Kernels
from pyinfer.checkpoint.checkpoint import open_checkpoint
from pyinfer.convert.requantize import requantize
from pyinfer.convert.to_gguf import Written
from pyinfer.errors import ModelFormatError, UsageError
from pyinfer.eval.importance import Importance
from pyinfer.eval.importance_file import read_importance, write_importance
from pyinfer.quant.plan import FileRules, parse_override

from ..checkpoints import gguf_tensor_name, random_config, write_gguf
from ..vocabulary import N_TOKENS

CONFIG = random_config(vocab=N_TOKENS + 3, hidden=64, intermediate=96)


def convert(source: Path, out: Path, mix: str, **options: Any) -> Written:
    rules = FileRules(mix, options.pop("overrides", ()), options.pop("pure", False))
    with open_checkpoint(source) as checkpoint:
        return requantize(checkpoint, out, rules, threads=2, **options)


@pytest.mark.parametrize("mix", ["q8_0", "q4_0", "f16", "bf16", "f32"])
def test_blocks_are_the_reference_and_metadata_stays(tmp_path: Path, mix: str) -> None:
    source, out = tmp_path / "a.gguf", tmp_path / "b.gguf"
    extra = {"some.key": "kept", "some.list": [1, 2, 3]}
    weights = write_gguf(source, CONFIG, dtype="f32", metadata=extra)
    written = convert(source, out, mix, pure=True)
    reader = gguf.GGUFReader(out)
    assert written.n_bytes == out.stat().st_size
    for tensor in reader.tensors:
        (name,) = (n for n in weights if gguf_tensor_name(CONFIG, n) == tensor.name)
        kind = "F32" if weights[name].ndim == 1 else mix.upper()
        assert tensor.tensor_type.name == kind
        expected = gguf.quants.quantize(weights[name], tensor.tensor_type)
        found = tensor.data.reshape(-1).view(np.uint8)
        assert np.array_equal(found, expected.reshape(-1).view(np.uint8))
    before = {k: f.contents() for k, f in gguf.GGUFReader(source).fields.items() if "." in k}
    after = {k: f.contents() for k, f in reader.fields.items() if "." in k}
    ftype = gguf.LlamaFileType["ALL_F32" if mix == "f32" else f"MOSTLY_{mix.upper()}"]
    assert after.pop("general.file_type") == ftype.value
    assert before.pop("general.file_type", 0) == 0
    assert {k: v for k, v in after.items() if not k.startswith("GGUF")} == {
        k: v for k, v in before.items() if not k.startswith("GGUF")
    }


def importance_of(path: Path, cols: int = 64) -> Path:
    rng = np.random.default_rng(0)
    squares = {"blk.0.attn_q.weight": rng.exponential(1, cols) ** 3}
    found = Importance(squares, tokens=1)
    write_importance(path, found, dataset="x", n_windows=1, n_ctx=4)
    return path


def test_importance_and_fit_lower_the_error(tmp_path: Path) -> None:
    source = tmp_path / "a.gguf"
    weights = write_gguf(source, CONFIG, dtype="f32")
    imatrix = importance_of(tmp_path / "im.gguf")
    convert(source, tmp_path / "plain.gguf", "q4_0")
    convert(source, tmp_path / "fit.gguf", "q4_0", fit=True)
    convert(source, tmp_path / "im-q4.gguf", "q4_0", imatrix=imatrix)
    weight = np.random.default_rng(0).exponential(1, 64) ** 3
    errors = {}
    for name in ("plain", "fit", "im-q4"):
        tensors = {t.name: t for t in gguf.GGUFReader(tmp_path / f"{name}.gguf").tensors}
        tensor = tensors["blk.0.attn_q.weight"]
        back = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        square = (back - weights["model.layers.0.self_attn.q_proj.weight"]) ** 2
        errors[name] = (float(square.sum()), float((square * weight).sum()))
    assert errors["fit"][0] < errors["plain"][0]
    assert errors["im-q4"][1] < errors["fit"][1] < errors["plain"][1]
    fields = gguf.GGUFReader(tmp_path / "im-q4.gguf").fields
    assert fields["quantize.imatrix.file"].contents() == "im.gguf"
    assert fields["quantize.imatrix.entries_count"].contents() == 1


@pytest.mark.parametrize("fit", [False, True])
@pytest.mark.parametrize("mix", ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0"])
def test_an_importance_matrix_gives_the_bytes_of_ggml(tmp_path: Path, mix: str, fit: bool) -> None:
    """``--fit`` alone asks for pyinfer's own search, which q4_0 has; kernels hold ggml's bytes."""
    weights = write_gguf(tmp_path / "a.gguf", CONFIG, dtype="f32")
    imatrix = importance_of(tmp_path / "im.gguf")
    convert(tmp_path / "a.gguf", tmp_path / "b.gguf", mix, imatrix=imatrix, fit=fit, pure=True)
    (importance,) = read_importance(imatrix).values()
    kernels, x = Kernels(), weights["model.layers.0.self_attn.q_proj.weight"]
    own = fit and kernels.can_fit(mix)
    assert own == (fit and mix == "q4_0")
    expected = (kernels.fit if own else kernels.quantize)(mix, x, importance)
    (tensor,) = (
        t for t in gguf.GGUFReader(tmp_path / "b.gguf").tensors if t.name == "blk.0.attn_q.weight"
    )
    assert np.array_equal(tensor.data.reshape(-1).view(np.uint8), expected.reshape(-1))


def test_importance_of_another_model(tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf", CONFIG, dtype="f32")
    imatrix = importance_of(tmp_path / "im.gguf", cols=32)
    with pytest.raises(ModelFormatError, match="32 inputs, the model 64"):
        convert(tmp_path / "a.gguf", tmp_path / "b.gguf", "q4_0", imatrix=imatrix)
    assert not (tmp_path / "b.gguf").exists()


def test_quantized_sources(tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf", CONFIG, dtype="q8_0")
    with pytest.raises(UsageError, match="q8_0 already"):
        convert(tmp_path / "a.gguf", tmp_path / "b.gguf", "q4_0")
    keep = [parse_override(".=q8_0")]
    convert(tmp_path / "a.gguf", tmp_path / "b.gguf", "q4_0", overrides=keep)
    convert(tmp_path / "a.gguf", tmp_path / "c.gguf", "q4_0", allow_quantized=True)
    kinds = {t.tensor_type.name for t in gguf.GGUFReader(tmp_path / "c.gguf").tensors}
    assert kinds == {"F32", "Q4_0", "Q8_0"}


def test_split_files_become_one(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    weights = write_gguf(path, CONFIG, dtype="f32", split_tensors=10)
    first = next(iter(sorted(tmp_path.glob("*-00001-of-*.gguf"))))
    convert(first, tmp_path / "b.gguf", "q8_0")
    reader = gguf.GGUFReader(tmp_path / "b.gguf")
    assert len(reader.tensors) == len(weights)
    assert not any(key.startswith("split.") for key in reader.fields)


def test_mixes_of_k_formats(tmp_path: Path) -> None:
    config = random_config(vocab=N_TOKENS, hidden=256, heads=4, intermediate=256)
    weights = write_gguf(tmp_path / "a.gguf", config, dtype="f32")
    imatrix = importance_of(tmp_path / "im.gguf", cols=256)
    convert(tmp_path / "a.gguf", tmp_path / "plain.gguf", "q4_k_m")
    convert(tmp_path / "a.gguf", tmp_path / "weighted.gguf", "q4_k_m", imatrix=imatrix)
    weight = np.random.default_rng(0).exponential(1, 256) ** 3
    errors = []
    for name in ("plain", "weighted"):
        tensors = {t.name: t for t in gguf.GGUFReader(tmp_path / f"{name}.gguf").tensors}
        assert tensors["output.weight"].tensor_type.name == "Q6_K"
        tensor = tensors["blk.0.attn_q.weight"]
        assert tensor.tensor_type.name == "Q4_K"
        back = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        square = (back - weights["model.layers.0.self_attn.q_proj.weight"]) ** 2
        errors.append(float((square * weight).sum()))
    assert errors[1] < errors[0]
    with open_checkpoint(tmp_path / "weighted.gguf") as checkpoint:
        assert checkpoint.tensors["model.layers.0.self_attn.q_proj.weight"].dtype == "q4_k"
