"""Which modules of a folder are quantized, and by which method.

What decides is which tensors are there. Lists of modules in the config (to be ignored, not to be
converted) are not read: they are often empty or null where modules are plain all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pyinfer.checkpoint.quantized.bitsandbytes import STATES, row_matrix, table_matrix
from pyinfer.checkpoint.quantized.compressed import (
    check_compressed,
    packed_matrix,
    scaled_matrix,
)
from pyinfer.checkpoint.quantized.gptq import awq_matrix, gptq_matrix
from pyinfer.checkpoint.quantized.matrix import QuantizedMatrix, read_floats
from pyinfer.checkpoint.quantized.mlx import mlx_matrix
from pyinfer.checkpoint.quantized.module import WEIGHT, Module
from pyinfer.checkpoint.safetensors import StoredTensor
from pyinfer.errors import ModelUnsupportedError

# Tensors of quantized modules besides the bias.
_PARTS = (
    "qweight", "qzeros", "scales", "g_idx", "biases",
    "weight", "weight_packed", "weight_scale", "weight_scale_inv", "weight_zero_point",
    "weight_shape", "weight_g_idx", "weight_global_scale",
    "weight.absmax", "weight.quant_map", "weight.nested_absmax", "weight.nested_quant_map", *STATES,
    "SCB", "weight_format",
)  # fmt: skip

# Scales of activations and of cached keys and values, which this engine keeps in its own formats.
_ACTIVATIONS = (
    "input_scale", "input_zero_point", "input_global_scale", "output_scale",
    "k_scale", "v_scale", "q_scale",
)  # fmt: skip

_METHODS = ("gptq", "awq", "compressed-tensors", "fp8", "fbgemm_fp8", "bitsandbytes")
_INTEGERS = ("I8", "I32", "U8", "U32", "F8_E4M3")


@dataclass(frozen=True, slots=True)
class QuantizedFolder:
    """The quantized part of a folder.

    Attributes
    ----------
    matrices : dict
        Canonical name of the weight -> matrix.
    used : set of str
        Names of the stored tensors that belong to them, or may be left out with them.
    """

    matrices: dict[str, QuantizedMatrix]
    used: set[str]

    @property
    def notes(self) -> tuple[str, ...]:
        """For the load report: what was found and how it is held."""
        found = Counter((matrix.method, matrix.held) for matrix in self.matrices.values())
        return tuple(
            f"{count} matrices are {method}, held in {held}"
            + (", the same values" if held == "q8_0" else "")
            for (method, held), count in found.items()
        )

    def in_place_of(self, stored: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
        """The folder's tensors with each quantized module as one matrix under its own name."""
        plain = {name: tensor for name, tensor in stored.items() if name not in self.used}
        for name, matrix in self.matrices.items():
            part = matrix.parts[0]
            plain[name] = replace(part, name=name, dtype=matrix.fmt, shape=matrix.shape)
        return plain


def find_quantized(
    data: Mapping[str, Any],
    stored: Mapping[str, StoredTensor],
    expected: Mapping[str, tuple[int, ...]],
) -> QuantizedFolder:
    """Find the quantized matrices of a folder.

    Parameters
    ----------
    data : mapping
        ``config.json``.
    stored : mapping
        Tensors of the files by name.
    expected : mapping
        Tensors that the model needs, with their shapes.

    Raises
    ------
    ModelUnsupportedError
        A method or a variant of one that is not known.
    ModelFormatError
        Tensors that do not fit each other.
    """
    config = data.get("quantization_config") or data.get("quantization") or {}
    config = config if isinstance(config, dict) else {}
    method = config.get("quant_method")
    method = method.lower() if isinstance(method, str) else method
    if method is not None and method not in _METHODS:
        raise ModelUnsupportedError(
            f"config.json: quant_method {str(method)[:40]!r} is not known",
            hint=f"known are {', '.join(_METHODS)}, and the folders of MLX",
        )
    check_compressed(config)
    matrices: dict[str, QuantizedMatrix] = {}
    used: set[str] = set()
    for name, shape in expected.items():
        if len(shape) != 2 or not name.endswith(WEIGHT):
            continue
        module = Module(name.removesuffix(WEIGHT), shape[0], shape[1], stored)
        matrix = _matrix(module, config)
        if matrix is not None:
            matrices[name] = matrix
            used |= {f"{module.prefix}.{part}" for part in _PARTS}
            used |= _empty_bias(module, expected)
        used |= {f"{module.prefix}.{part}" for part in _ACTIVATIONS}
    used |= {key for key in stored if key.endswith((".k_scale", ".v_scale", ".q_scale"))}
    return QuantizedFolder(matrices, used & stored.keys())


def _empty_bias(module: Module, expected: Mapping[str, tuple[int, ...]]) -> set[str]:
    """AutoGPTQ gave every module a bias, of zeros where the model has none."""
    name, bias = f"{module.prefix}.bias", module.find("bias")
    if bias is None or name in expected or bias.shape != (module.rows,):
        return set()
    floats = bias.dtype in ("f32", "f16", "bf16")
    return set() if not floats or read_floats(bias).any() else {name}


def _matrix(module: Module, config: Mapping[str, Any]) -> QuantizedMatrix | None:
    """The matrix of a module, or None if it is plain."""
    if module.find("qweight") is not None:
        awq = str(config.get("quant_method")).lower() == "awq"
        return awq_matrix(module, config) if awq else gptq_matrix(module, config)
    if module.find("weight_packed") is not None:
        return packed_matrix(module, config)
    weight = module.find("weight")
    if weight is None or weight.dtype not in _INTEGERS:
        return None
    for state in STATES:
        found = module.find(state)
        if found is not None:
            return table_matrix(module, found)
    if module.find("SCB") is not None:
        return row_matrix(module)
    if module.find("scales") is not None:
        return mlx_matrix(module)
    if module.find("weight_scale") is not None or module.find("weight_scale_inv") is not None:
        return scaled_matrix(module, config)
    method = config.get("quant_method", "none")
    raise ModelUnsupportedError(
        f"{weight.file.name}: tensor {weight.name[:80]!r} is {weight.dtype} without scales that "
        f"are known (quant_method {str(method)[:40]!r})",
        hint="known are GPTQ, AWQ, compressed-tensors, FP8, bitsandbytes and MLX",
    )
