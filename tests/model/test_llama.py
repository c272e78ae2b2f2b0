"""Llama: the order of rows in GGUF files, the rotary scaling of both sources, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from pyinfer._kernels.runtime import Runtime
from pyinfer._kernels.tensor import Arena, PackedTensor, packed_bytes
from pyinfer.checkpoint.checkpoint import open_checkpoint
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import load_model
from pyinfer.config import FrequencyDivisors, Llama3Scaling, ModelConfig
from pyinfer.convert.requantize import requantize
from pyinfer.convert.to_folder import gguf_to_folder
from pyinfer.convert.to_gguf import folder_to_gguf
from pyinfer.diagnose.roofline import parameter_count
from pyinfer.errors import ModelFormatError, ModelUnsupportedError
from pyinfer.model.registry import architecture, read_gguf_config, read_hf_config
from pyinfer.model.rope import inverse_frequencies
from pyinfer.quant.plan import FileRules

from ..checkpoints import gguf_metadata, random_config, random_weights, write_folder
from .mixed_gguf import write_mixed_gguf
from .steps import Row, assert_same_bits, load, random_tokens, run_chunks, with_runtime

LLAMA3 = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
SHAPE = {"hidden": 160, "heads": 8, "kv_heads": 2, "head_dim": 20, "rope_theta": 5e5}
CONFIG = random_config(arch="llama", **SHAPE, llama3=LLAMA3)


def logits(path: Path) -> list[Row]:
    """Rows of logits of a model, in f32 if it is a folder."""
    model = with_runtime(load(path, "f32" if path.is_dir() else None), 2)
    return run_chunks(model, random_tokens(model, 90), [80, 9, 1])


def test_a_gguf_file_gives_the_bits_of_the_folder(tmp_path: Path) -> None:
    config = random_config(arch="llama", **SHAPE)
    weights = write_folder(tmp_path / "a", config, 1, "f32")
    write_mixed_gguf(tmp_path / "b.gguf", config, lambda _: "f32", seed=1)
    stored = {t.name: t.data for t in gguf.GGUFReader(tmp_path / "b.gguf").tensors}
    for part in ("q", "k"):
        ours = weights[f"model.layers.0.self_attn.{part}_proj.weight"]
        assert not np.array_equal(stored[f"blk.0.attn_{part}.weight"], ours)
    assert_same_bits(logits(tmp_path / "b.gguf"), logits(tmp_path / "a"))


@pytest.mark.parametrize("fmt", ["q4_0", "q8_0", "f16"])
@pytest.mark.parametrize("head_dim", [20, 64])
def test_packed_rows_are_the_files_rows_reordered(fmt: str, head_dim: int, tmp_path: Path) -> None:
    config = random_config(arch="llama", **SHAPE | {"head_dim": head_dim})
    weights = random_weights(config, 2)
    write_mixed_gguf(tmp_path / "a.gguf", config, lambda _: fmt, weights=weights)
    model = load(tmp_path / "a.gguf", threads=2)
    qtype = gguf.GGMLQuantizationType[fmt.upper()]
    for index, layer in enumerate(model._weights.layers):
        for part in ("q", "k", "v"):
            values = weights[f"model.layers.{index}.self_attn.{part}_proj.weight"]
            expected = PackedTensor(Arena(packed_bytes(fmt, *values.shape)), fmt, *values.shape)
            raw = gguf.quants.quantize(values, qtype).view(np.uint8).ravel()
            expected.pack(Runtime("scalar", 1), 0, raw, fmt)
            assert np.array_equal(getattr(layer, part).panels(), expected.panels()), part


def test_any_rows_can_be_read(tmp_path: Path) -> None:
    weights = write_mixed_gguf(tmp_path / "a.gguf", CONFIG, lambda _: "f32", seed=3)
    name = "model.layers.1.self_attn.q_proj.weight"
    with open_checkpoint(tmp_path / "a.gguf") as checkpoint:
        for first, count in ((0, 160), (0, 1), (7, 30), (19, 2), (159, 1), (40, 0)):
            out = np.empty((count, 160), np.float32)
            checkpoint.read_rows(name, first, count, memoryview(out.reshape(-1).view(np.uint8)))
            assert np.array_equal(out, weights[name][first : first + count])


def test_to_gguf_and_back(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", CONFIG, 4, "f32", shards=2)
    write_mixed_gguf(tmp_path / "expected.gguf", CONFIG, lambda _: "f32", seed=4)
    with open_checkpoint(tmp_path / "a") as source:
        folder_to_gguf(source, tmp_path / "b.gguf", FileRules("f32"))
    with open_checkpoint(tmp_path / "b.gguf") as source:
        requantize(source, tmp_path / "c.gguf", FileRules("f32"))
        gguf_to_folder(source, tmp_path / "d")
    expected = {t.name: t.data for t in gguf.GGUFReader(tmp_path / "expected.gguf").tensors}
    for name in ("b.gguf", "c.gguf"):
        found = {t.name: t.data for t in gguf.GGUFReader(tmp_path / name).tensors}
        assert found.keys() == expected.keys()
        divisors = found.pop("rope_freqs.weight")
        np.testing.assert_allclose(divisors, expected["rope_freqs.weight"], rtol=1e-6)
        assert all(np.array_equal(values, expected[key]) for key, values in found.items())
    data = json.loads((tmp_path / "d" / "config.json").read_text())
    assert data["rope_scaling"] == {"rope_type": "llama3"} | LLAMA3
    original = logits(tmp_path / "a")
    assert_same_bits(logits(tmp_path / "d"), original)
    for a, b in zip(logits(tmp_path / "c.gguf"), original, strict=True):
        np.testing.assert_allclose(a.full, b.full, atol=1e-4)  # divisors are float32 there


def test_the_packed_cache_keeps_the_divisors(tmp_path: Path) -> None:
    write_mixed_gguf(tmp_path / "a.gguf", CONFIG, lambda _: "q8_0", seed=5)
    options = LoadOptions(packed_cache=tmp_path / "cache", ctx_size=64, threads=1)
    first = load_model(tmp_path / "a.gguf", options)
    again = load_model(tmp_path / "a.gguf", options)
    assert "mapped from" in " ".join(again.report)
    assert again.config == first.config
    assert isinstance(again.config.rope_scaling, FrequencyDivisors)


@pytest.mark.parametrize(
    "changes",
    [
        {"factor": 32.0},
        {"factor": 4.5, "original_max_position_embeddings": 1024},
        {"low_freq_factor": 2.0, "high_freq_factor": 16.0, "original_max_position_embeddings": 512},
    ],
)
@pytest.mark.parametrize("theta", [1e4, 5e5])
def test_the_scaling_follows_from_the_divisors(changes: dict[str, Any], theta: float) -> None:
    shape = SHAPE | {"head_dim": 128, "rope_theta": theta}
    config = read_hf_config(random_config(arch="llama", **shape, llama3=LLAMA3 | changes))
    found = architecture("llama")
    divisors = found.write_rope(config)
    assert divisors is not None
    stored = replace(config, rope_scaling=FrequencyDivisors(tuple(divisors.tolist())))
    back = read_hf_config(found.write_hf(stored, context=4096))
    frequencies = inverse_frequencies(config)
    np.testing.assert_allclose(inverse_frequencies(back), frequencies, rtol=2e-6)


def published(**changes: Any) -> ModelConfig:
    """The configuration of Llama 3.1 8B, on which the R1 distill is based."""
    data = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "mlp_bias": False,
        "hidden_act": "silu",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "max_position_embeddings": 131072,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {"rope_type": "llama3"} | LLAMA3,
        "rope_theta": 500000.0,
        "tie_word_embeddings": False,
        "vocab_size": 128256,
    }
    return read_hf_config(data | changes)


def test_published_shapes() -> None:
    small = published()
    assert (small.head_dim, small.max_position) == (128, 131072)
    assert small.rope_scaling == Llama3Scaling(8.0, 1.0, 4.0, 8192)
    assert parameter_count(small) == 8_030_261_248
    large = published(
        hidden_size=8192, intermediate_size=28672, num_attention_heads=64, num_hidden_layers=80
    )
    assert parameter_count(large) == 70_553_706_496


def test_frequencies_of_8b() -> None:
    """Fast pairs stay, slow ones are divided by 8, and the divisors of a file say the same."""
    config = published()
    plain = inverse_frequencies(replace(config, rope_scaling=None))
    found = inverse_frequencies(config)
    assert np.array_equal(found[:28], plain[:28])
    np.testing.assert_allclose(found[36:], plain[36:] / 8, rtol=1e-12)
    assert (np.diff(plain / found) >= 0).all()
    divisors = architecture("llama").write_rope(config)
    assert divisors is not None
    given = replace(config, rope_scaling=FrequencyDivisors(tuple(divisors.tolist())))
    np.testing.assert_allclose(inverse_frequencies(given), found, rtol=1e-7)


def test_refused() -> None:
    for key in ("attention_bias", "mlp_bias"):
        with pytest.raises(ModelUnsupportedError, match=key):
            published(**{key: True})
    for key, bad in (("high_freq_factor", 1.0), ("factor", 0.5), ("low_freq_factor", 0.0)):
        with pytest.raises(ModelFormatError, match=key):
            published(rope_scaling={"rope_type": "llama3"} | LLAMA3 | {key: bad})
    metadata = {"general.architecture": "llama"} | gguf_metadata(CONFIG)
    with pytest.raises(ModelUnsupportedError, match="mixture of experts"):
        read_gguf_config(metadata | {"llama.expert_count": 8})


def test_only_llama_has_a_tensor_for_divisors(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", random_config(llama3=LLAMA3), 1, "f32")
    with (
        open_checkpoint(tmp_path / "a") as source,
        pytest.raises(ModelUnsupportedError, match="llama3"),
    ):
        folder_to_gguf(source, tmp_path / "b.gguf", FileRules("f32"))
    divisors = {"rope_freqs.weight": np.ones(8, np.float32)}
    write_mixed_gguf(tmp_path / "c.gguf", random_config(), lambda _: "f32", extra=divisors)
    with pytest.raises(ModelUnsupportedError, match="rope_freqs"):
        open_checkpoint(tmp_path / "c.gguf")


@pytest.mark.parametrize(
    ("values", "yarn", "message"),
    [
        (np.ones(9, np.float32), None, "expected f32"),
        (np.ones(10, np.float16), None, "expected f32"),
        (np.zeros(10, np.float32), None, "positive and finite"),
        (np.full(10, np.nan, np.float32), None, "positive and finite"),
        (
            np.ones(10, np.float32),
            {"factor": 2.0, "original_max_position_embeddings": 64},
            "beside a rotary scaling",
        ),
    ],
)
def test_damaged_divisors(
    values: np.ndarray, yarn: dict[str, Any] | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.gguf"
    config = random_config(arch="llama", **SHAPE, yarn=yarn)
    write_mixed_gguf(path, config, lambda _: "f32", extra={"rope_freqs.weight": values})
    with pytest.raises((ModelFormatError, ModelUnsupportedError), match=message):
        open_checkpoint(path)


@pytest.mark.parametrize(
    "divisors",
    [np.linspace(1, 3, 10), np.linspace(3, 1, 10), np.linspace(1, 1e30, 10), np.full(10, 0.5)],
    ids=["linear", "falling", "huge", "below-1"],
)
def test_divisors_that_a_folder_cannot_hold(divisors: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    config = random_config(arch="llama", **SHAPE)
    divisors = divisors.astype(np.float32)
    write_mixed_gguf(path, config, lambda _: "f32", extra={"rope_freqs.weight": divisors})
    with open_checkpoint(path) as source:
        assert source.config.rope_scaling == FrequencyDivisors(tuple(divisors.tolist()))
        with pytest.raises(ModelUnsupportedError, match="no place"):
            gguf_to_folder(source, tmp_path / "b")
