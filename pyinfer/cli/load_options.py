"""The options by which commands take a model and say how it is loaded; each is described once."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyinfer.cli.arguments import positive
from pyinfer.store.places import DEMO_FOLDER

if TYPE_CHECKING:
    from pyinfer.checkpoint.load_options import LoadOptions

MODEL_FORMS = "folder, GGUF file, name from `pyinfer list`, or hf:org/repo[:quant]"


def _isa_help() -> str:
    from pyinfer.diagnose.levels import level_names

    return f"{', '.join(level_names())}; default: the best that runs here"


_OPTIONS: dict[str, tuple[tuple[str, ...], Callable[[], str], dict[str, Any]]] = {
    "dtype": (
        ("--dtype",),
        lambda: "q4_0, q8_0, f16, bf16 or f32; default q8_0 for folders",
        {"metavar": "TYPE"},
    ),
    "ctx_size": (
        ("-c", "--ctx-size"),
        lambda: "context in tokens",
        {"type": positive, "metavar": "N"},
    ),
    "threads": (
        ("-t", "--threads"),
        lambda: "default: all cores",
        {"type": positive, "metavar": "N"},
    ),
    "isa": (("--isa",), _isa_help, {"metavar": "LEVEL"}),
    "kv_type": (
        ("--kv-type",),
        lambda: "cached keys and values: f16, f32 or q8_0; default f16",
        {"metavar": "TYPE"},
    ),
    "packed_cache": (
        ("--packed-cache",),
        lambda: "keep packed weights; the next load is fast",
        {"action": "store_true"},
    ),
    "pre": (
        ("--pre",),
        lambda: "for a GGUF file without tokenizer.ggml.pre: the name to take, such as qwen2",
        {"metavar": "NAME"},
    ),
}


def add_load_options(group: argparse._ActionsContainer, *names: str) -> None:
    """Add the options of :class:`~pyinfer.checkpoint.load_options.LoadOptions`.

    Parameters
    ----------
    group : argparse parser or group
    *names : str
        Only these fields; all of them without any.
    """
    for name in names or _OPTIONS:
        spellings, text, settings = _OPTIONS[name]
        group.add_argument(*spellings, help=text(), **settings)


def load_options(options: argparse.Namespace, **changes: Any) -> LoadOptions:
    """What the command line chose, with some values of the command itself."""
    from pyinfer.checkpoint.load_options import LoadOptions

    given = {f.name: getattr(options, f.name) for f in fields(LoadOptions) if f.name in options}
    return LoadOptions(**given | changes)


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
        return DEMO_FOLDER
    from pyinfer.store.resolve import resolve_model

    return resolve_model(model).path


def model_name(model: str | None) -> str:
    """What messages call a model before it is found."""
    return "the embedded model" if model is None else Path(model).name
