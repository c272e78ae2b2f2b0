"""``pyinfer cp``: a second name for a model of the store."""

from __future__ import annotations

import argparse

from pyinfer.cli.arguments import Parser
from pyinfer.cli.outcome import note

DESCRIPTION = "Give a model of the store a second name. No weights are copied."


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument("source", metavar="MODEL", help="name in the store")
    parser.add_argument("target", metavar="NAME", help="the new name")


def run(options: argparse.Namespace) -> int:
    """Copy the entry."""
    from pyinfer.store.local import Store
    from pyinfer.store.names import parse_name

    model = Store().copy(parse_name(options.source), parse_name(options.target))
    note(f"copied {options.source} to {model.name}")
    return 0
