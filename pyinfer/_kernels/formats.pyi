"""Facts of the weight formats: the rows of ``csrc/include/pyinfer/formats.h``."""

from __future__ import annotations

from typing import NamedTuple

class FormatInfo(NamedTuple):
    """Facts of a weight format.

    ``block_inputs`` inputs take ``block_bytes`` bytes in a file; 16 rows of 128 inputs take
    ``group_bytes`` bytes when packed, 0 for a format of files only; blocks of 256 fill two such
    groups. ``quantized`` formats are multiplied with a8 activations, the others with float32.
    Panels of the format ``panel`` hold the values exactly. GGUF files call it ``ggml_type``.
    """

    name: str
    block_inputs: int
    block_bytes: int
    group_bytes: int
    quantized: bool
    panel: str
    ggml_type: int

INFO: dict[str, FormatInfo]
"""Token -> facts, first the formats that have panels."""

FILE_FORMATS: tuple[str, ...]
"""All formats: they have quantize and dequantize."""

FORMATS: tuple[str, ...]
"""Those of them that have panels, and so gemv, gemm, pack and embed."""

def format_info(fmt: str) -> FormatInfo:
    """Return the facts of format ``fmt``; ValueError if there is none of that name."""
