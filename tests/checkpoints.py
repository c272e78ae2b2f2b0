"""Random checkpoints for tests: Hugging Face folders and GGUF files, written without pyinfer.

Only names and shapes of tensors are pyinfer's own, which ``tests/model/test_tensors.py`` compares
with those of others. A config is the object of a ``config.json``. Weights are float32 arrays under
Hugging Face names. The writers return the weights as a reader sees them, that is after rounding to
the stored format, so that an outside implementation can be given exactly the same numbers. From a
test module::

    from ..checkpoints import random_config, write_folder, write_gguf
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from pyinfer.model.registry import architecture, read_hf_config

from .vocabulary import (
    BOS_ID,
    EOS_ID,
    N_TOKENS,
    gguf_vocabulary,
    tokenizer_config,
    tokenizer_json,
)

Weights = dict[str, npt.NDArray[np.float32]]


def random_config(
    *,
    arch: str = "qwen2",
    hidden: int = 64,
    layers: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    head_dim: int | None = None,
    intermediate: int = 96,
    vocab: int = 320,
    tied: bool = False,
    yarn: Mapping[str, Any] | None = None,
    llama3: Mapping[str, Any] | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """Return a valid ``config.json`` object with small sizes; ``extra`` adds or replaces."""
    config: dict[str, Any] = {
        "architectures": [architecture(arch).hf_class],
        "model_type": arch,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 4096,
        "max_window_layers": layers,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "sliding_window": 4096,
        "use_sliding_window": False,
        "tie_word_embeddings": tied,
        "vocab_size": vocab,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.44.0",
    }
    if head_dim is not None:
        config["head_dim"] = head_dim
    if llama3 is not None:
        config["rope_scaling"] = {"rope_type": "llama3", **llama3}
    if yarn is not None:
        config["rope_scaling"] = {"rope_type": "yarn", **yarn}
    return config | extra


def tensor_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of every weight of the config."""
    return architecture(config["model_type"]).tensors.shapes(read_hf_config(config))


def random_weights(config: Mapping[str, Any], seed: int = 0) -> Weights:
    """Return weights with which activations and logits keep a sane size."""
    rng = np.random.default_rng(seed)
    weights: Weights = {}
    for name, shape in tensor_shapes(config).items():
        values = rng.standard_normal(shape, dtype=np.float32)
        if name.endswith("norm.weight"):
            values = 1 + 0.2 * values
        elif name.endswith("bias"):
            values *= 0.3
        elif "embed" in name:
            # Tied embeddings are the head too, so they get the head's scale.
            values *= 1 / np.sqrt(shape[1]) if config["tie_word_embeddings"] else 0.5
        else:
            values *= 2 / np.sqrt(shape[1])
        weights[name] = values.astype(np.float32)
    return weights


def to_bf16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Round to bfloat16, nearest even; finite input."""
    bits = values.view(np.uint32)
    rounded: npt.NDArray[np.uint16] = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return rounded


def from_bf16(bits: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """Widen bfloat16 to float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def safetensors_bytes(tensors: Iterable[tuple[str, str, npt.NDArray[Any]]]) -> bytes:
    """Return a safetensors file of (name, dtype word, array); the header is padded to 8 bytes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    chunks: list[bytes] = []
    offset = 0
    for name, dtype, array in tensors:
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(raw)],
        }
        offset += len(raw)
        chunks.append(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(chunks)


def write_folder(
    path: Path,
    config: Mapping[str, Any],
    seed: int = 0,
    dtype: str = "bf16",
    shards: int = 1,
    with_tokenizer: bool = False,
    weights: Weights | None = None,
) -> Weights:
    """Write a Hugging Face folder and return its weights, rounded to ``dtype``."""
    path.mkdir(parents=True, exist_ok=True)
    source = random_weights(config, seed) if weights is None else weights
    stored: Weights = {}
    entries: list[tuple[str, str, npt.NDArray[Any]]] = []
    for name, values in source.items():
        if dtype == "bf16":
            bits = to_bf16(values)
            stored[name] = from_bf16(bits)
            entries.append((name, "BF16", bits))
        elif dtype == "f16":
            half = values.astype(np.float16)
            stored[name] = half.astype(np.float32)
            entries.append((name, "F16", half))
        else:
            stored[name] = values
            entries.append((name, "F32", values))
    if shards == 1:
        (path / "model.safetensors").write_bytes(safetensors_bytes(entries))
    else:
        _write_shards(path, entries, shards)
    full = dict(config)
    if with_tokenizer:
        full |= {"bos_token_id": BOS_ID, "eos_token_id": EOS_ID}
        _write_tokenizer(path, config["vocab_size"])
    (path / "config.json").write_text(json.dumps(full, indent=2), encoding="utf-8")
    return stored


def _write_shards(
    path: Path, entries: list[tuple[str, str, npt.NDArray[Any]]], shards: int
) -> None:
    weight_map: dict[str, str] = {}
    for i in range(shards):
        part = entries[len(entries) * i // shards : len(entries) * (i + 1) // shards]
        name = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        (path / name).write_bytes(safetensors_bytes(part))
        weight_map |= {tensor: name for tensor, _, _ in part}
    total = sum(array.nbytes for _, _, array in entries)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (path / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))


def _write_tokenizer(path: Path, vocab_size: int) -> None:
    if vocab_size < N_TOKENS:
        raise ValueError(f"vocabulary size {vocab_size}, at least {N_TOKENS} needed")
    files = {
        "tokenizer.json": tokenizer_json(),
        "tokenizer_config.json": tokenizer_config(),
        "generation_config.json": {
            "bos_token_id": BOS_ID,
            "eos_token_id": EOS_ID,
            "do_sample": True,
            "temperature": 0.6,
            "top_p": 0.95,
        },
    }
    for name, value in files.items():
        (path / name).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def gguf_tensor_name(config: Mapping[str, Any], name: str) -> str:
    """Return the GGUF name of a Hugging Face tensor."""
    found = architecture(config["model_type"]).tensors.gguf_name(name)
    assert found is not None
    return found


def _interleaved(config: Mapping[str, Any], name: str) -> bool:
    return config["model_type"] == "llama" and name.endswith(("q_proj.weight", "k_proj.weight"))


def gguf_rows(config: Mapping[str, Any], name: str, values: Any) -> Any:
    """Order the rows of a matrix as llama.cpp's converter does: pairs of a head side by side."""
    if not _interleaved(config, name):
        return values
    half = read_hf_config(config).head_dim // 2
    return values.reshape(-1, 2, half, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


def hf_rows(config: Mapping[str, Any], name: str, values: Any) -> Any:
    """Undo :func:`gguf_rows`."""
    if not _interleaved(config, name):
        return values
    half = read_hf_config(config).head_dim // 2
    return values.reshape(-1, half, 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


def add_rope_freqs(writer: gguf.GGUFWriter, config: Mapping[str, Any]) -> None:
    """Add the divisors of the frequencies for llama3 scaling, computed as the converter does."""
    rope = config.get("rope_scaling")
    if not rope or rope["rope_type"] != "llama3":
        return
    original, dim = rope["original_max_position_embeddings"], read_hf_config(config).head_dim
    low, high = original / rope["low_freq_factor"], original / rope["high_freq_factor"]
    divisors = []
    for i in range(0, dim, 2):
        wavelength = 2 * math.pi * config["rope_theta"] ** (i / dim)
        if wavelength < high:
            divisors.append(1.0)
        elif wavelength > low:
            divisors.append(rope["factor"])
        else:
            smooth = (original / wavelength - rope["low_freq_factor"]) / (
                rope["high_freq_factor"] - rope["low_freq_factor"]
            )
            divisors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    writer.add_tensor("rope_freqs.weight", np.array(divisors, np.float32))


def gguf_metadata(config: Mapping[str, Any], vocabulary: bool = True) -> dict[str, Any]:
    """Return the metadata that llama.cpp's converter writes for this config."""
    own = config["model_type"]
    heads = config["num_attention_heads"]
    metadata: dict[str, Any] = {
        "general.name": "random",
        "general.quantization_version": 2,
        f"{own}.block_count": config["num_hidden_layers"],
        f"{own}.context_length": config["max_position_embeddings"],
        f"{own}.embedding_length": config["hidden_size"],
        f"{own}.feed_forward_length": config["intermediate_size"],
        f"{own}.attention.head_count": heads,
        f"{own}.attention.head_count_kv": config["num_key_value_heads"],
        f"{own}.rope.freq_base": float(config["rope_theta"]),
        f"{own}.attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
    }
    head_dim = read_hf_config(config).head_dim
    if head_dim != config["hidden_size"] // heads:
        metadata[f"{own}.attention.key_length"] = head_dim
        metadata[f"{own}.attention.value_length"] = head_dim
    yarn = config.get("rope_scaling")
    if yarn and yarn["rope_type"] == "yarn":
        metadata[f"{own}.rope.scaling.type"] = "yarn"
        metadata[f"{own}.rope.scaling.factor"] = float(yarn["factor"])
        metadata[f"{own}.rope.scaling.original_context_length"] = yarn[
            "original_max_position_embeddings"
        ]
    if vocabulary:
        return metadata | gguf_vocabulary(config["vocab_size"])
    return metadata | {"tokenizer.ggml.model": "none"}


def add_metadata(writer: gguf.GGUFWriter, metadata: Mapping[str, Any]) -> None:
    """Add keys with the value types that llama.cpp uses: uint32, float32, bool, string, array."""
    for key, value in metadata.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)


def write_gguf(
    path: Path,
    config: Mapping[str, Any],
    seed: int = 0,
    dtype: str = "q4_0",
    pure: bool = False,
    vocabulary: bool = True,
    weights: Weights | None = None,
    metadata: Mapping[str, Any] | None = None,
    split_tensors: int = 0,
) -> Weights:
    """Write a GGUF file with the ``gguf`` package; return its weights, dequantized.

    One-dimensional tensors are f32. Matrices have ``dtype``; embedding and head of a q4_0 file are
    q8_0 unless ``pure``; rows that are no multiple of the block stay f16. ``metadata`` adds or
    replaces keys. ``split_tensors`` makes a split model with so many tensors per file.
    """
    source = random_weights(config, seed) if weights is None else weights
    writer = gguf.GGUFWriter(path, config["model_type"], split_max_tensors=split_tensors)
    add_rope_freqs(writer, config)
    add_metadata(writer, gguf_metadata(config, vocabulary) | dict(metadata or {}))
    stored: Weights = {}
    for name, values in source.items():
        kind = _matrix_format(name, values, dtype, pure)
        qtype = gguf.GGMLQuantizationType[kind.upper()]
        raw = gguf.quants.quantize(gguf_rows(config, name, values), qtype)
        stored[name] = hf_rows(config, name, gguf.quants.dequantize(raw, qtype).astype(np.float32))
        writer.add_tensor(gguf_tensor_name(config, name), raw, raw_dtype=qtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return stored


def _matrix_format(name: str, values: npt.NDArray[np.float32], dtype: str, pure: bool) -> str:
    if values.ndim == 1:
        return "f32"
    if dtype == "q4_0" and not pure and name in ("model.embed_tokens.weight", "lm_head.weight"):
        dtype = "q8_0"
    block = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[dtype.upper()]][0]
    return "f16" if values.shape[1] % block else dtype
