"""What this build is and what it runs on."""

from __future__ import annotations

import platform
from importlib import metadata

from pyinfer import machine
from pyinfer._kernels.runtime import available_isas, cpu_name, isa_choice

_PACKAGES = ("numpy", "safetensors", "tokenizers", "jinja2", "rich")


def build_facts() -> dict[str, str]:
    """Return names and values, ready to print.

    Raises
    ------
    UsageError, UnsupportedCPUError
        ``PYINFER_ISA`` names no level, or one that this CPU does not have.
    """
    choice = isa_choice()
    threads = machine.default_threads()
    return {
        "kernels": f"{choice.name} ({choice.reason}; available: {' '.join(available_isas())})",
        "processor": cpu_name(),
        "threads": f"{threads.count} ({threads.reason})",
        "memory": f"{machine.available_memory() / 1e9:.1f} GB available",
        "python": f"{platform.python_version()} on {platform.platform()}",
        "packages": ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES),
    }
