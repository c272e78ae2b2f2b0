"""The option by which every command takes a model."""

from __future__ import annotations

import argparse

MODEL_FORMS = "folder, GGUF file, name from `pyinfer list`, or hf:org/repo[:quant]"


def add_model_option(group: argparse._ActionsContainer, default: str = "") -> None:
    """Add ``-m MODEL``; the value is resolved by ``pyinfer.load`` or ``resolve_model``."""
    text = MODEL_FORMS + (f"; default: {default}" if default else "")
    group.add_argument("-m", "--model", metavar="MODEL", help=text)
