"""``pyinfer cache``: the packed weights that ``--packed-cache`` keeps."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from pyinfer.cli.arguments import Parser
from pyinfer.cli.outcome import note
from pyinfer.cli.quantities import ago_text, size_text, table_lines
from pyinfer.cli.terminal import put

DESCRIPTION = (
    "List or remove the packed weights that --packed-cache keeps, least recently used first. They "
    "can always be made anew from the models."
)


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument("action", choices=("list", "clean"), help="show the files, or remove them")
    parser.add_argument("--folder", type=Path, help="default: below the user's cache folder")
    parser.add_argument(
        "--keep",
        type=float,
        default=0.0,
        metavar="GB",
        help="clean: keep the most recently used files up to this size; default 0",
    )


def run(options: argparse.Namespace) -> int:
    """List or clean."""
    from pyinfer.checkpoint.packed_cache import PackedCache, default_folder

    cache = PackedCache(options.folder or default_folder())
    if options.action == "clean":
        note(f"{size_text(cache.clean(int(options.keep * 1e9)))} freed in {cache.folder}")
        return 0
    entries = cache.entries()
    rows = [["FILE", "SIZE", "USED"]]
    for entry in entries:
        used = ago_text(time.time() - entry.last_used)
        rows.append([entry.path.name, size_text(entry.size), used])
    put(sys.stdout, "\n".join(table_lines(rows)) + "\n")
    put(sys.stdout, f"{size_text(sum(e.size for e in entries))} in {cache.folder}\n")
    return 0
