"""Where the stores are. Every place can be set by an environment variable."""

from __future__ import annotations

import os
from pathlib import Path

#: The embedded model.
DEMO_FOLDER = Path(__file__).parent.parent / "demo"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a user without a home
        return Path("/nonexistent")


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value).expanduser() if value else None


def store_root() -> Path:
    """Folder of the own store: ``PYINFER_MODELS``, else below the user's data folder."""
    named = _named("PYINFER_MODELS")
    if named is not None:
        return named.absolute()
    data = _named("XDG_DATA_HOME") or _home() / ".local" / "share"
    return data.absolute() / "pyinfer" / "models"


def hub_cache_root() -> Path:
    """Folder where ``huggingface_hub`` keeps what it downloads; by its own variables."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        named = _named(variable)
        if named is not None:
            return named
    home = _named("HF_HOME")
    if home is None:
        home = (_named("XDG_CACHE_HOME") or _home() / ".cache") / "huggingface"
    return home / "hub"


def ollama_roots() -> list[Path]:
    """Folders where an Ollama store may be: ``OLLAMA_MODELS``, else the usual ones."""
    named = _named("OLLAMA_MODELS")
    if named is not None:
        return [named]
    return [
        _home() / ".ollama" / "models",
        Path("/usr/share/ollama/.ollama/models"),
        Path("/var/lib/ollama/.ollama/models"),
    ]
