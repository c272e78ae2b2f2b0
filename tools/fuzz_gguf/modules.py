"""The modules whose coverage guides a campaign."""

from __future__ import annotations

MODULES = (
    "pyinfer.load.gguf", "pyinfer.load.gguf_header", "pyinfer.load.gguf_shards",
    "pyinfer.load.checkpoint", "pyinfer.load.names", "pyinfer.load.formats",
    "pyinfer.load.source_file", "pyinfer.config", "pyinfer.config_fields", "pyinfer.config_rope",
    "pyinfer.text.gguf_tokenizer", "pyinfer.text.vocabulary", "pyinfer.text.tokenizer",
    "pyinfer.convert.tokenizer_files",
)  # fmt: skip
