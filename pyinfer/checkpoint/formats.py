"""Tensor formats as files store them: names, block lengths, bytes."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfer._kernels.formats import INFO

# Formats that run, in panels of their own or in those of a format that holds their values exactly:
# name -> (values per block, bytes per block); small blocks first, of those the widest.
RUNS: dict[str, tuple[int, int]] = {
    info.name: (info.block_inputs, info.block_bytes)
    for info in sorted(INFO.values(), key=lambda info: (info.block_inputs, -info.block_bytes))
}

# One-dimensional tensors (norms, biases) are added and multiplied as floats.
FLOATS = ("f32", "f16", "bf16")

# ggml types that do not run. They are listed so that their ranges are checked and the refusal can
# name them.
_OTHERS: dict[int, tuple[str, int, int]] = {
    9: ("q8_1", 32, 40),
    15: ("q8_k", 256, 292),
    16: ("iq2_xxs", 256, 66),
    17: ("iq2_xs", 256, 74),
    18: ("iq3_xxs", 256, 98),
    19: ("iq1_s", 256, 50),
    21: ("iq3_s", 256, 110),
    22: ("iq2_s", 256, 82),
    23: ("iq4_xs", 256, 136),
    24: ("i8", 1, 1),
    25: ("i16", 1, 2),
    26: ("i32", 1, 4),
    27: ("i64", 1, 8),
    28: ("f64", 1, 8),
    29: ("iq1_m", 256, 56),
    34: ("tq1_0", 256, 54),
    35: ("tq2_0", 256, 66),
    39: ("mxfp4", 32, 17),
    40: ("nvfp4", 64, 36),
    41: ("q1_0", 128, 18),
}

# Every ggml type: id -> (name, values per block, bytes per block).
GGML_TYPES: dict[int, tuple[str, int, int]] = _OTHERS | {
    info.ggml_type: (name, info.block_inputs, info.block_bytes) for name, info in INFO.items()
}

# safetensors dtype -> (name, bytes per value). Those that do not run keep their own name.
SAFETENSORS_TYPES: dict[str, tuple[str, int]] = {
    "F32": ("f32", 4),
    "F16": ("f16", 2),
    "BF16": ("bf16", 2),
}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of a checkpoint.

    Attributes
    ----------
    name : str
        Canonical Hugging Face name, such as ``model.layers.0.self_attn.q_proj.weight``.
    dtype : str
        One of the formats in :data:`RUNS`.
    shape : tuple of int
        Row-major: (rows, cols), or (n,). A one-dimensional tensor is one row of n values.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def rows(self) -> int:
        """Number of rows; 1 for a one-dimensional tensor."""
        return self.shape[0] if len(self.shape) == 2 else 1

    @property
    def cols(self) -> int:
        """Values per row."""
        return self.shape[-1]

    @property
    def row_bytes(self) -> int:
        """Bytes per row as stored in the file."""
        block, size = RUNS[self.dtype]
        return self.cols // block * size

    @property
    def n_bytes(self) -> int:
        """Bytes of the whole tensor as stored in the file."""
        return self.rows * self.row_bytes
