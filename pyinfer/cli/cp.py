"""``pyinfer cp``: a second name for a model of the store."""

from __future__ import annotations

import argparse

from pyinfer.cli.arguments import Parser
from pyinfer.cli.load_options import MODEL_FORMS
from pyinfer.cli.outcome import note

DESCRIPTION = (
    "Give a model a second name. Weights in the store are not copied; a model that is elsewhere is "
    "copied into the store."
)


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument("source", metavar="MODEL", help=MODEL_FORMS)
    parser.add_argument("target", metavar="NAME", help="the new name")


def run(options: argparse.Namespace) -> int:
    """Copy the entry."""
    from pyinfer.serving.library import copy_model
    from pyinfer.store.names import parse_name
    from pyinfer.store.resolve import resolve_model

    model = copy_model(resolve_model(options.source), parse_name(options.target))
    note(f"copied {options.source} to {model.name}")
    return 0
