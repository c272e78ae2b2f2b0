"""Which instruction set level runs, and why not a better one."""

from __future__ import annotations

from pyinfer._kernels.runtime import ISAS, LEVELS, isa_choice


def level_names() -> tuple[str, ...]:
    """All levels of this kind of processor, in order of preference."""
    return ISAS


def level_line(isa: str | None = None) -> str:
    """Return the level that runs and why, on one line.

    Parameters
    ----------
    isa : str, optional
        What was asked for; default: ``PYINFER_ISA``, else the best level.

    Raises
    ------
    UsageError, UnsupportedCPUError
        It is no level, or one that CPU or build do not have.
    """
    choice = isa_choice(isa)
    return f"{choice.name} ({choice.reason})"


def level_facts() -> dict[str, str]:
    """For every level what it computes with, and if it does not run here, why."""
    return {level.name: f"{level.problem or 'available'}: {level.description}" for level in LEVELS}
