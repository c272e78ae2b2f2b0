"""Limits on what a model file may claim; everything above is refused before memory is used.

Sizes are in bytes. Each limit is tested at its value and one past it.
"""

from __future__ import annotations

# GGUF.
MAX_KEYS = 65_536
MAX_TENSORS = 65_536
MAX_KEY_BYTES = 65_535
MAX_TENSOR_NAME_BYTES = 64  # by the GGUF specification
MAX_STRING_BYTES = 16 << 20
MAX_TOKEN_BYTES = 4 << 10
MAX_MERGE_BYTES = 2 * MAX_TOKEN_BYTES + 1  # two tokens and a space
MAX_ARRAY_ELEMENTS = 4 << 20
MAX_DIMS = 4
MIN_ALIGNMENT = 8
MAX_ALIGNMENT = 65_536
MAX_HEADER_BYTES = 128 << 20
MAX_SPLITS = 1_024

# safetensors and JSON.
MAX_SAFETENSORS_HEADER_BYTES = 100_000_000
MAX_SHARDS = 1_024
MAX_CONFIG_BYTES = 4 << 20
MAX_INDEX_BYTES = 16 << 20
MAX_JSON_DEPTH = 64
