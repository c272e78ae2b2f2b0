"""The option that chooses the instruction set level of the kernels."""

from __future__ import annotations

import argparse


def add_isa_option(group: argparse._ActionsContainer) -> None:
    """Add ``--isa``; its help names the levels of this kind of processor."""
    from pyinfer.diagnose.levels import level_names

    names = ", ".join(level_names())
    group.add_argument("--isa", metavar="LEVEL", help=f"{names}; default: the best that runs here")
