"""``pyinfer rm``: remove models from the store."""

from __future__ import annotations

import argparse

from pyinfer.cli.arguments import Parser
from pyinfer.cli.outcome import note
from pyinfer.cli.quantities import size_text

DESCRIPTION = (
    "Remove models from the store. Files of the Hugging Face cache and of Ollama are never touched."
)


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument("models", metavar="MODEL", nargs="+", help="name in the store")


def run(options: argparse.Namespace) -> int:
    """Remove one after the other."""
    from pyinfer.serving.library import delete_model
    from pyinfer.store.names import parse_name

    names = [parse_name(text) for text in options.models]
    for name in names:
        freed = delete_model(str(name))
        note(f"removed {name}, {size_text(freed)} freed")
    return 0
