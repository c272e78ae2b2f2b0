"""The modules whose coverage guides a campaign."""

from __future__ import annotations

MODULES = (
    "pyinfer.checkpoint.gguf", "pyinfer.checkpoint.gguf_header", "pyinfer.checkpoint.gguf_shards",
    "pyinfer.checkpoint.checkpoint", "pyinfer.model.registry", "pyinfer.checkpoint.formats",
    "pyinfer.checkpoint.source_file", "pyinfer.config",
    "pyinfer.config_fields", "pyinfer.config_rope",
    "pyinfer.text.gguf_tokenizer", "pyinfer.text.vocabulary", "pyinfer.text.tokenizer",
    "pyinfer.convert.tokenizer_files",
)  # fmt: skip
