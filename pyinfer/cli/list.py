"""``pyinfer list``: the models on this machine."""

from __future__ import annotations

import argparse
import json
import sys
import time

from pyinfer.cli.arguments import Parser
from pyinfer.cli.quantities import ago_text, size_text, table_lines
from pyinfer.cli.terminal import put

DESCRIPTION = (
    "List the models that can be run by their name: those of the own store, of the Hugging Face "
    "cache and of an Ollama store."
)


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument("filter", nargs="?", default="", help="only names that begin with this")
    parser.add_argument("--json", action="store_true", help="print one JSON array")


def run(options: argparse.Namespace) -> int:
    """Print the list."""
    from pyinfer.store.listing import list_models

    wanted = options.filter.lower()
    models = [model for model in list_models() if model.name.lower().startswith(wanted)]
    if options.json:
        rows = [
            {
                "name": model.name,
                "id": model.identity,
                "size": model.size,
                "modified": model.modified,
                "source": model.source,
                "path": str(model.path),
            }
            for model in models
        ]
        put(sys.stdout, json.dumps(rows, indent=1) + "\n")
        return 0
    lines = [["NAME", "ID", "SIZE", "MODIFIED", "SOURCE"]]
    for model in models:
        modified = ago_text(time.time() - model.modified)
        size = size_text(model.size)
        lines.append([model.name, model.identity, size, modified, model.source])
    put(sys.stdout, "\n".join(table_lines(lines)) + "\n")
    return 0
