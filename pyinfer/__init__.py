"""pyinfer runs the DeepSeek-R1 distills and their kin on a CPU, on its own kernels.

The public surface is this module: :func:`load` (the only constructor), :class:`LLM`,
:class:`SamplingParams`, :class:`Generation` and the errors of :mod:`pyinfer.errors`. Everything is
imported on first use, so that ``import pyinfer`` costs nothing and the command line starts fast.
Read first: ``loading.py`` and ``llm.py``, then ``engine/engine.py`` and ``model/qwen2.py``.

Examples
--------
>>> import pyinfer
>>> greedy = pyinfer.SamplingParams(temperature=0)
>>> with pyinfer.load() as llm:  # no path: the small embedded model
...     answer = llm.chat("Which is larger, 9.11 or 9.9?", params=greedy)
>>> "9.9" in answer.text
True
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyinfer._kernels.runtime import Runtime
    from pyinfer.engine.params import SamplingParams
    from pyinfer.errors import (
        CancelledError,
        ContextLengthError,
        EngineError,
        EngineLostError,
        InsufficientMemoryError,
        InvalidNameError,
        ModelFormatError,
        ModelNotFoundError,
        ModelUnsupportedError,
        NumericError,
        PyinferError,
        QueueFullError,
        RequestError,
        StoreIOError,
        UnsupportedCPUError,
        UsageError,
    )
    from pyinfer.llm import LLM
    from pyinfer.loading import load
    from pyinfer.model_info import ModelInfo
    from pyinfer.requests.answer import (
        Chunk,
        Generation,
        Timings,
        ToolCallArguments,
        ToolCallStart,
        Usage,
    )
    from pyinfer.requests.options import ChatOptions, GenerateOptions
    from pyinfer.requests.streams import AsyncTextStream, TextStream
    from pyinfer.text.grammar import Grammar
    from pyinfer.text.tool_parser import ToolCall

__version__ = "0.1.0"

_HOME = {
    "SamplingParams": "pyinfer.engine.params",
    **dict.fromkeys(
        (
            "CancelledError",
            "ContextLengthError",
            "EngineError",
            "EngineLostError",
            "InsufficientMemoryError",
            "InvalidNameError",
            "ModelFormatError",
            "ModelNotFoundError",
            "ModelUnsupportedError",
            "NumericError",
            "PyinferError",
            "QueueFullError",
            "RequestError",
            "StoreIOError",
            "UnsupportedCPUError",
            "UsageError",
        ),
        "pyinfer.errors",
    ),
    **dict.fromkeys(
        ("Chunk", "Generation", "Timings", "ToolCallArguments", "ToolCallStart", "Usage"),
        "pyinfer.requests.answer",
    ),
    **dict.fromkeys(("ChatOptions", "GenerateOptions"), "pyinfer.requests.options"),
    **dict.fromkeys(("AsyncTextStream", "TextStream"), "pyinfer.requests.streams"),
    "Grammar": "pyinfer.text.grammar",
    "LLM": "pyinfer.llm",
    "ModelInfo": "pyinfer.model_info",
    "Runtime": "pyinfer._kernels.runtime",
    "ToolCall": "pyinfer.text.tool_parser",
    "load": "pyinfer.loading",
}

__all__ = [
    "LLM",
    "AsyncTextStream",
    "CancelledError",
    "ChatOptions",
    "Chunk",
    "ContextLengthError",
    "EngineError",
    "EngineLostError",
    "GenerateOptions",
    "Generation",
    "Grammar",
    "InsufficientMemoryError",
    "InvalidNameError",
    "ModelFormatError",
    "ModelInfo",
    "ModelNotFoundError",
    "ModelUnsupportedError",
    "NumericError",
    "PyinferError",
    "QueueFullError",
    "RequestError",
    "Runtime",
    "SamplingParams",
    "StoreIOError",
    "TextStream",
    "Timings",
    "ToolCall",
    "ToolCallArguments",
    "ToolCallStart",
    "UnsupportedCPUError",
    "Usage",
    "UsageError",
    "__version__",
    "load",
]


def _is_compiled(package: Path) -> bool:
    """Whether a copy of this package has its compiled modules."""
    return any((package / "_kernels" / f"runtime{end}").exists() for end in EXTENSION_SUFFIXES)


# In the folder of a checkout, ``python -m pyinfer.generate`` finds these sources before the package
# that ``pip install .`` has put into the environment. What is installed is what runs, whole. Only a
# tree without a package at its top (``src/pyinfer``) could do without this: an error that asks to
# leave the folder would break the two commands with which the README begins.
if not _is_compiled(Path(__path__[0])):
    for _folder in (Path(_entry) / "pyinfer" for _entry in sys.path):
        if _is_compiled(_folder) and (_folder / "__init__.py").exists():
            __path__[:] = [str(_folder)]
            break


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'pyinfer' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
