"""Metadata of GGUF files that are made for benchmarks and tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gguf


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
