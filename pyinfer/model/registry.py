"""The architectures that run: ``model_type`` -> module with ``build`` and ``forward``."""

from __future__ import annotations

from types import ModuleType

from pyinfer.errors import ModelUnsupportedError
from pyinfer.model import qwen2

ARCHITECTURES: dict[str, ModuleType] = {"qwen2": qwen2}


def architecture(name: str) -> ModuleType:
    """Return the module of an architecture.

    Raises
    ------
    ModelUnsupportedError
        There is none of that name.
    """
    if name not in ARCHITECTURES:
        raise ModelUnsupportedError(
            f"architecture {name!r} does not run", hint=f"what runs: {', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[name]
