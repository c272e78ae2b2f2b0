"""Random checkpoints of the real shapes, for benchmarks and for runs beside other engines.

Every matrix of a GGUF file has the one format asked for, embedding and head included (what
llama.cpp's ``--pure`` makes), so the bytes read per token are exact. The vocabulary is the real
one, so other engines accept the file. Weights are random with scales that keep activations and
logits finite and sane; the file is written in slices, so memory stays below 300 MB.

    python -m bench.peers.checkpoints 1.5b q4_0 /data/bench
    python -m bench.peers.checkpoints 1.5b folder /data/bench

The vocabulary comes from the folder that PYINFER_TEST_DATA names, or from ``--vocabulary``.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from bench.shapes import SHAPES, Shape
from pyinfer.convert.tokenizer_files import tokenizer_json
from pyinfer.text.split_pattern import GGUF_PRE

GGUF_FORMATS = ("q4_0", "q8_0", "f16", "bf16", "f32")

_SLICE_VALUES = 8 << 20
_MAX_SHARD_BYTES = 5_000_000_000

# Standard deviation of the integers of a block drawn uniformly: 0..15, and -127..127.
_SPREAD = {"q4_0": 4.61, "q8_0": 73.3}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor to write: both names, shape, and the standard deviation of its values."""

    hf: str
    gguf: str
    shape: tuple[int, ...]
    deviation: float


def tensors(shape: str) -> Iterator[Tensor]:
    """Yield the tensors of a shape in the order of the graph."""
    s = SHAPES[shape]
    d, f, q_rows, kv_rows = s.D, s.F, s.H * s.K, s.G * s.K
    # The two matrices that write to the residual stream share its growth over the layers.
    residual = (2 * s.layers) ** -0.5
    layer = (
        ("input_layernorm.weight", "attn_norm.weight", (d,), 0.0),
        ("self_attn.q_proj.weight", "attn_q.weight", (q_rows, d), d**-0.5),
        ("self_attn.q_proj.bias", "attn_q.bias", (q_rows,), 0.1),
        ("self_attn.k_proj.weight", "attn_k.weight", (kv_rows, d), d**-0.5),
        ("self_attn.k_proj.bias", "attn_k.bias", (kv_rows,), 0.1),
        ("self_attn.v_proj.weight", "attn_v.weight", (kv_rows, d), d**-0.5),
        ("self_attn.v_proj.bias", "attn_v.bias", (kv_rows,), 0.1),
        ("self_attn.o_proj.weight", "attn_output.weight", (d, q_rows), residual * q_rows**-0.5),
        ("post_attention_layernorm.weight", "ffn_norm.weight", (d,), 0.0),
        ("mlp.gate_proj.weight", "ffn_gate.weight", (f, d), d**-0.5),
        ("mlp.up_proj.weight", "ffn_up.weight", (f, d), d**-0.5),
        ("mlp.down_proj.weight", "ffn_down.weight", (d, f), residual * 2 * f**-0.5),
    )
    yield Tensor("model.embed_tokens.weight", "token_embd.weight", (s.V, d), 1.0)
    for i in range(s.layers):
        for hf, name, size, deviation in layer:
            yield Tensor(f"model.layers.{i}.{hf}", f"blk.{i}.{name}", size, deviation)
    yield Tensor("model.norm.weight", "output_norm.weight", (d,), 0.0)
    yield Tensor("lm_head.weight", "output.weight", (s.V, d), 2 * d**-0.5)


def stored_bytes(tensor: Tensor, fmt: str) -> int:
    """Return the bytes of a tensor in a format."""
    block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[fmt.upper()]]
    return int(np.prod(tensor.shape)) // block * size


def slices(tensor: Tensor, fmt: str, rng: np.random.Generator) -> Iterator[bytes]:
    """Yield the bytes of a random tensor, a few megabytes at a time."""
    left = int(np.prod(tensor.shape))
    while left:
        n = min(left, _SLICE_VALUES)
        left -= n
        if fmt in _SPREAD:
            yield _blocks(fmt, n // 32, tensor.deviation, rng)
            continue
        values = rng.standard_normal(n, dtype=np.float32)
        values *= tensor.deviation
        if tensor.deviation == 0.0:
            values += 1  # a norm
        yield _floats(values, fmt).tobytes()


def _blocks(fmt: str, n_blocks: int, deviation: float, rng: np.random.Generator) -> bytes:
    """Return random blocks of 32 values: a float16 scale and 4-bit or 8-bit integers."""
    payload = 16 if fmt == "q4_0" else 32
    out = np.empty((n_blocks, 2 + payload), np.uint8)
    # A random sign of the scale takes away the mean that the lopsided range -8..7 would have.
    sign = rng.integers(0, 2, n_blocks, dtype=np.int8) * 2 - 1
    scale = (sign * np.float32(deviation / _SPREAD[fmt])).astype(np.float16)
    out[:, :2] = scale[:, None].view(np.uint8)
    integers = rng.integers(0, 256, (n_blocks, payload), dtype=np.uint8)
    if fmt == "q8_0":
        integers = np.maximum(integers.view(np.int8), np.int8(-127)).view(np.uint8)
    out[:, 2:] = integers
    return out.tobytes()


def _floats(values: npt.NDArray[np.float32], fmt: str) -> npt.NDArray[Any]:
    if fmt == "f32":
        return values
    if fmt == "f16":
        return values.astype(np.float16)
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The published Qwen2 vocabulary with the added tokens of R1-Distill."""

    tokens: list[str]  # by id, without the added ones
    merges: list[str]
    added: dict[int, dict[str, Any]]
    tokenizer_config: dict[str, Any]
    template: str

    @classmethod
    def read(cls, folder: Path) -> Vocabulary:
        """Read ``qwen2-tokenizer`` and ``r1-distill-qwen-1.5b`` in ``folder``."""
        ids: dict[str, int] = json.loads((folder / "qwen2-tokenizer/vocab.json").read_text("utf-8"))
        merges = (folder / "qwen2-tokenizer/merges.txt").read_text("utf-8").split("\n")
        r1 = folder / "r1-distill-qwen-1.5b"
        config = json.loads((r1 / "tokenizer_config.json").read_text("utf-8"))
        return cls(
            tokens=sorted(ids, key=lambda token: ids[token]),
            merges=[line for line in merges if line and not line.startswith("#version")],
            added={int(k): v for k, v in sorted(config["added_tokens_decoder"].items())},
            tokenizer_config=config,
            template=(r1 / "chat_template.jinja").read_text("utf-8"),
        )

    def gguf_metadata(self, vocab_size: int) -> dict[str, Any]:
        """Return the ``tokenizer.*`` keys, padded with unused tokens to ``vocab_size``."""
        tokens = self.tokens + [entry["content"] for entry in self.added.values()]
        types = [1] * len(self.tokens)
        types += [3 if entry["special"] else 4 for entry in self.added.values()]
        padding = range(len(tokens), vocab_size)
        return {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "deepseek-r1-qwen",
            "tokenizer.ggml.tokens": tokens + [f"[PAD{i}]" for i in padding],
            "tokenizer.ggml.token_type": types + [5] * len(padding),
            "tokenizer.ggml.merges": self.merges,
            "tokenizer.ggml.bos_token_id": 151646,
            "tokenizer.ggml.eos_token_id": 151643,
            "tokenizer.ggml.padding_token_id": 151643,
            "tokenizer.ggml.add_bos_token": True,
            "tokenizer.ggml.add_eos_token": False,
            "tokenizer.chat_template": self.template,
        }

    def tokenizer_json(self) -> dict[str, Any]:
        """Return the object of ``tokenizer.json``."""
        pieces = {token: i for i, token in enumerate(self.tokens)}
        added = [{"id": i, **entry} for i, entry in self.added.items()]
        return tokenizer_json(pieces, self.merges, added, GGUF_PRE["deepseek-r1-qwen"])


def write_gguf(path: Path, shape: str, fmt: str, vocabulary: Vocabulary, seed: int = 0) -> Path:
    """Write a GGUF file whose matrices all have the format ``fmt``; return ``path``."""
    s = SHAPES[shape]
    partial = path.with_name(path.name + ".partial")
    writer = gguf.GGUFWriter(partial, "qwen2")
    metadata: dict[str, Any] = {
        "general.name": f"random {shape}",
        "general.quantization_version": 2,
        "qwen2.block_count": s.layers,
        "qwen2.context_length": 131072,
        "qwen2.embedding_length": s.D,
        "qwen2.feed_forward_length": s.F,
        "qwen2.attention.head_count": s.H,
        "qwen2.attention.head_count_kv": s.G,
        "qwen2.rope.freq_base": 10000.0,
        "qwen2.attention.layer_norm_rms_epsilon": 1e-6,
        **vocabulary.gguf_metadata(s.V),
    }
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
    plan = [(t, "f32" if len(t.shape) == 1 else fmt) for t in tensors(shape)]
    for t, kind in plan:
        qtype = gguf.GGMLQuantizationType[kind.upper()]
        n_bytes = stored_bytes(t, kind)
        writer.add_tensor_info(t.gguf, t.shape, np.dtype(np.float32), n_bytes, raw_dtype=qtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    assert writer.fout is not None
    out = writer.fout[0]
    writer.write_padding(out, out.tell())
    rng = np.random.default_rng(seed)
    for t, kind in plan:
        for data in slices(t, kind, rng):
            out.write(data)
        writer.write_padding(out, stored_bytes(t, kind))
    writer.close()
    return partial.replace(path)


def write_folder(path: Path, shape: str, vocabulary: Vocabulary | None, seed: int = 0) -> Path:
    """Write a Hugging Face folder in bf16, in shards of at most 5 GB; return ``path``.

    Without a vocabulary the folder has no tokenizer.
    """
    s = SHAPES[shape]
    path.mkdir(parents=True, exist_ok=True)
    shards: list[list[Tensor]] = [[]]
    size = 0
    for t in tensors(shape):
        size += stored_bytes(t, "bf16")
        if size > _MAX_SHARD_BYTES and shards[-1]:
            shards.append([])
            size = stored_bytes(t, "bf16")
        shards[-1].append(t)
    rng = np.random.default_rng(seed)
    weight_map: dict[str, str] = {}
    for i, shard in enumerate(shards):
        name = "model.safetensors"
        if len(shards) > 1:
            name = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        _write_shard(path / name, shard, rng)
        weight_map |= {t.hf: name for t in shard}
    files: dict[str, Any] = {"config.json": _hf_config(s)}
    if vocabulary is not None:
        ends = {"bos_token_id": 151646, "eos_token_id": 151643}
        sampling = {"do_sample": True, "temperature": 0.6, "top_p": 0.95}
        files["generation_config.json"] = ends | sampling
        files["tokenizer.json"] = vocabulary.tokenizer_json()
        files["tokenizer_config.json"] = vocabulary.tokenizer_config
    if len(shards) > 1:
        total = sum(stored_bytes(t, "bf16") for t in tensors(shape))
        files["model.safetensors.index.json"] = {
            "metadata": {"total_size": total},
            "weight_map": weight_map,
        }
    for name, value in files.items():
        (path / name).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def _hf_config(s: Shape) -> dict[str, Any]:
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_act": "silu",
        "hidden_size": s.D,
        "intermediate_size": s.F,
        "num_hidden_layers": s.layers,
        "num_attention_heads": s.H,
        "num_key_value_heads": s.G,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_sliding_window": False,
        "vocab_size": s.V,
    }


def _write_shard(path: Path, shard: list[Tensor], rng: np.random.Generator) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for t in shard:
        end = offset + stored_bytes(t, "bf16")
        header[t.hf] = {"dtype": "BF16", "shape": list(t.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for t in shard:
            for data in slices(t, "bf16", rng):
                out.write(data)


def ensure(folder: Path, shape: str, fmt: str, vocabulary: Path) -> Path:
    """Return the checkpoint in ``folder``, written first if it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    if fmt == "folder":
        path = folder / f"random-{shape}-bf16"
        # This file is written last, so an interrupted run is written again.
        done = (path / "tokenizer_config.json").exists()
        return path if done else write_folder(path, shape, Vocabulary.read(vocabulary))
    path = folder / f"random-{shape}-{fmt}.gguf"
    return path if path.exists() else write_gguf(path, shape, fmt, Vocabulary.read(vocabulary))


def main() -> None:
    """Write one checkpoint and print its path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("shape", choices=sorted(set(SHAPES) - {"empty"}))
    parser.add_argument("format", choices=("folder", *GGUF_FORMATS))
    parser.add_argument("out", type=Path, help="folder to write into")
    parser.add_argument("--vocabulary", type=Path, default=os.environ.get("PYINFER_TEST_DATA"))
    args = parser.parse_args()
    if args.vocabulary is None:
        parser.error("give --vocabulary, or set PYINFER_TEST_DATA")
    print(ensure(args.out, args.shape, args.format, Path(args.vocabulary)))


if __name__ == "__main__":
    main()
