"""Writes ``tests/golden/quantized``: tiny folders quantized by the libraries that people use.

One process per library, in an environment that has it (they exclude each other):

    python -m tools.make_quantized bitsandbytes     bitsandbytes 0.50.2
    python -m tools.make_quantized compressed       compressed-tensors 0.20.1
    python -m tools.make_quantized mlx              mlx[cpu] 0.32.4, mlx-lm 0.32.2

each beside torch 2.13.0 and transformers 5.23.0.
Expected logits are those of transformers in float32 with the library's own dequantized weights.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path("tests/golden/quantized")
TOKENS = np.array([(7 * i + i * i) % 96 for i in range(24)], np.int32)
Tensors = Mapping[str, Any]


def tiny(*, tied: bool = False, cols: int = 160) -> Any:
    """A random Qwen2 model of one layer; 160 and 136 are no multiples of the usual groups."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(5)
    config = Qwen2Config(
        hidden_size=128, intermediate_size=cols, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=96, max_position_embeddings=64, tie_word_embeddings=tied,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config).to(torch.bfloat16)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "norm" not in name:
                value.copy_(torch.randn(value.shape) * 0.08)
    return model


def finish(name: str, made: Path, weights: Tensors) -> None:
    """Compute the logits of dequantized weights and keep folder and logits as ``name``."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    data = json.loads((made / "config.json").read_text(encoding="utf-8"))
    plain = {k: v for k, v in data.items() if k not in ("quantization_config", "quantization")}
    model = Qwen2ForCausalLM(Qwen2Config(**plain)).float().eval()
    state = {key: torch.as_tensor(np.array(value, np.float32)) for key, value in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected, unexpected
    assert all("lm_head" in key for key in missing), missing
    with torch.inference_mode():
        logits = model(torch.as_tensor(TOKENS[None].astype(np.int64))).logits[0].numpy()
    target = FOLDER / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for file in ("config.json", "model.safetensors"):
        shutil.copy(made / file, target / file)
    np.savez_compressed(target / "expected.npz", tokens=TOKENS, logits=logits)
    size = sum(file.stat().st_size for file in target.iterdir())
    print(f"{name}: {size} bytes, logits {np.ptp(logits):.2f} wide")


def bitsandbytes(work: Path) -> Iterator[tuple[str, Path, Tensors]]:
    """4 bits (nf4 nested, fp4 plain) and 8 bits, through transformers."""
    import bitsandbytes as bnb
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    plain = work / "plain"
    # The library's own dequantization on a CPU is right only for rows of whole blocks of 64.
    tiny(cols=192).save_pretrained(plain)
    for name, options in {
        "bnb-nf4-nested": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4",
                           "bnb_4bit_use_double_quant": True},
        "bnb-fp4": {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4"},
        "bnb-int8": {"load_in_8bit": True},
    }.items():  # fmt: skip
        model = AutoModelForCausalLM.from_pretrained(
            plain, quantization_config=BitsAndBytesConfig(**options), dtype=torch.bfloat16
        )
        made = work / name
        model.save_pretrained(made)
        weights = {}
        for key, module in model.named_modules():
            weight = getattr(module, "weight", None)
            if weight is None or not isinstance(weight, torch.nn.Parameter):
                continue
            if isinstance(weight, bnb.nn.Params4bit):
                value = bnb.functional.dequantize_4bit(weight.data, weight.quant_state)
            elif isinstance(weight, bnb.nn.Int8Params):
                scb = weight.SCB if weight.SCB is not None else module.state.SCB
                value = bnb.functional.int8_vectorwise_dequant(weight.data, scb)
            else:
                value = weight.data
            weights[f"{key}.weight"] = value.float().numpy()
            bias = getattr(module, "bias", None)
            if bias is not None:
                weights[f"{key}.bias"] = bias.data.float().numpy()
        yield name, made, weights


def mlx(work: Path) -> Iterator[tuple[str, Path, Tensors]]:
    """Affine groups, block floats, and a model whose head shares the quantized embedding."""
    import mlx.core as mx
    from mlx_lm import convert
    from mlx_lm.utils import load_model

    for name, options, tied in (
        ("mlx-affine4", {"q_bits": 4, "q_group_size": 32}, False),
        ("mlx-affine6-tied", {"q_bits": 6, "q_group_size": 32}, True),
        ("mlx-mxfp4", {"q_mode": "mxfp4"}, False),
        ("mlx-nvfp4", {"q_mode": "nvfp4"}, False),
        ("mlx-mxfp8", {"q_mode": "mxfp8"}, False),
    ):
        plain, made = work / f"{name}-plain", work / name
        tiny(tied=tied).save_pretrained(plain)
        convert(str(plain), str(made), quantize=True, **options)
        model, _ = load_model(made)
        weights = {}
        for key, module in model.named_modules():
            if "scales" in module:
                value = mx.dequantize(
                    module["weight"], module["scales"], module.get("biases"),
                    group_size=module.group_size, bits=module.bits, mode=module.mode,
                )  # fmt: skip
                weights[f"{key}.weight"] = np.array(value.astype(mx.float32))
            elif "weight" in module:
                weights[f"{key}.weight"] = np.array(module["weight"].astype(mx.float32))
            if "bias" in module:
                weights[f"{key}.bias"] = np.array(module["bias"].astype(mx.float32))
        yield name, made, weights


def compressed(work: Path) -> Iterator[tuple[str, Path, Tensors]]:
    """compressed-tensors: integers of 3, 4 and 8 bits, 8-bit and 4-bit floats."""
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config
    from compressed_tensors.quantization.utils import calculate_qparams
    from safetensors.torch import load_file

    for name, weights in {
        "ct-int4-g32-asym": {"num_bits": 4, "group_size": 32, "strategy": "group",
                             "symmetric": False},
        "ct-int3-channel": {"num_bits": 3, "strategy": "channel", "symmetric": True},
        "ct-int8-channel": {"num_bits": 8, "strategy": "channel", "symmetric": True},
        "ct-fp8-channel": {"num_bits": 8, "type": "float", "strategy": "channel",
                           "symmetric": True},
    }.items():  # fmt: skip
        model = tiny()
        config = QuantizationConfig(
            config_groups={"group_0": {"targets": ["Linear"], "weights": weights}},
            ignore=["lm_head"],
        )
        apply_quantization_config(model, config)
        for module in model.modules():
            scheme = getattr(module, "quantization_scheme", None)
            if scheme is not None and scheme.weights is not None:
                args, w = scheme.weights, module.weight.data
                grouped = w.reshape(len(w), -1, args.group_size or w.shape[1])
                scale, zero = calculate_qparams(grouped.amin(-1), grouped.amax(-1), args)
                module.weight_scale.data = scale.to(module.weight_scale.dtype)
                if hasattr(module, "weight_zero_point"):
                    module.weight_zero_point.data = zero.to(module.weight_zero_point.dtype)
        made = work / name
        compressor = ModelCompressor.from_pretrained_model(model)
        compressor.compress_model(model)
        model.save_pretrained(made)
        compressor.update_config(made)
        yield name, made, dict(dequantized_modules(load_file(made / "model.safetensors"), weights))


def dequantized_modules(state: Tensors, settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Weights by the library's own unpacking and dequantization, with float32 scales."""
    from compressed_tensors.compressors.pack_quantized import unpack_from_int32
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import dequantize

    args = QuantizationArgs(**settings)
    for key, value in state.items():
        prefix, _, kind = key.rpartition(".")
        if kind == "bias" or (kind == "weight" and f"{prefix}.weight_scale" not in state):
            yield key, value.float().numpy()
        elif kind in ("weight", "weight_packed"):
            scale, zero = state[f"{prefix}.weight_scale"], state.get(f"{prefix}.weight_zero_point")
            if kind == "weight_packed":
                shape = tuple(state[f"{prefix}.weight_shape"].tolist())
                value = unpack_from_int32(value, args.num_bits, shape)
                if zero is not None:
                    zero = unpack_from_int32(zero, args.num_bits, scale.shape, packed_dim=0)
            found = dequantize(value.float(), scale.float(), zero, args=args)
            yield f"{prefix}.weight", found.float().numpy()


MAKERS: dict[str, Callable[[Path], Iterator[tuple[str, Path, Tensors]]]] = {
    "bitsandbytes": bitsandbytes,
    "compressed": compressed,
    "mlx": mlx,
}

if __name__ == "__main__":
    for library in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            for made_name, made_folder, made_weights in MAKERS[library](Path(folder)):
                finish(made_name, made_folder, made_weights)
