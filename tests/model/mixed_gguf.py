"""Writes GGUF files whose matrices have different formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from pyinfer._kernels.kernels import Kernels

from ..checkpoints import (
    Weights,
    add_metadata,
    add_rope_freqs,
    gguf_metadata,
    gguf_rows,
    gguf_tensor_name,
    hf_rows,
    random_weights,
)

V2 = (2).to_bytes(4, "little")


def _encoded(values: np.ndarray, kind: str, qtype: gguf.GGMLQuantizationType) -> np.ndarray:
    if kind.endswith("_k") or kind == "iq4_nl":
        return Kernels("scalar").quantize(kind, values)
    return np.asarray(gguf.quants.quantize(values, qtype))


def write_mixed_gguf(
    path: Path,
    config: Mapping[str, Any],
    format_of: Callable[[str], str],
    seed: int = 0,
    weights: Weights | None = None,
    version: int = 3,
    extra: Mapping[str, np.ndarray] | None = None,
) -> Weights:
    """Write a GGUF file with ``format_of(name)`` per matrix; return the dequantized weights.

    ``extra`` holds tensors that are no weights.

    The gguf package reads every format, so the weights are its view of the file. It does not write
    the K formats and iq4_nl: their blocks come from our quantizers.
    """
    writer = gguf.GGUFWriter(path, config["model_type"])
    add_metadata(writer, gguf_metadata(config, vocabulary=False))
    add_rope_freqs(writer, config)
    for name, values in (extra or {}).items():
        writer.add_tensor(name, values)
    stored: Weights = {}
    for name, values in (weights or random_weights(config, seed)).items():
        kind = "f32" if values.ndim == 1 else format_of(name)
        qtype = gguf.GGMLQuantizationType[kind.upper()]
        raw = _encoded(gguf_rows(config, name, values), kind, qtype)
        stored[name] = hf_rows(config, name, gguf.quants.dequantize(raw, qtype).astype(np.float32))
        writer.add_tensor(gguf_tensor_name(config, name), raw, raw_dtype=qtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if version == 2:  # same layout for little-endian files
        content = path.read_bytes()
        path.write_bytes(content[:4] + V2 + content[8:])
    return stored
