"""The option by which every command takes a model, and what its value means."""

from __future__ import annotations

import argparse
from pathlib import Path

EMBEDDED = Path(__file__).parent.parent / "demo"
MODEL_FORMS = "folder, GGUF file, name from `pyinfer list`, or hf:org/repo[:quant]"


def add_model_option(group: argparse._ActionsContainer) -> None:
    """Add ``-m MODEL``; None stands for the embedded model."""
    text = f"{MODEL_FORMS}; default: the embedded model"
    group.add_argument("-m", "--model", metavar="MODEL", help=text)


def model_path(model: str | None) -> Path:
    """The file or folder of a model, for commands that open it without ``pyinfer.load``.

    Raises
    ------
    ModelNotFoundError, InvalidNameError, ModelFormatError
        As :func:`pyinfer.store.resolve.resolve_model`.
    """
    if model is None:
        return EMBEDDED
    from pyinfer.store.resolve import resolve_model

    return resolve_model(model).path


def model_name(model: str | None) -> str:
    """What messages call a model before it is found."""
    return "the embedded model" if model is None else Path(model).name
