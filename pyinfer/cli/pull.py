"""``pyinfer pull``: bring a model into the store."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pyinfer.cli.arguments import Parser
from pyinfer.cli.outcome import note
from pyinfer.cli.pull_progress import PullDisplay
from pyinfer.cli.quantities import size_text

if TYPE_CHECKING:
    from pyinfer.store.local import StoredModel

DESCRIPTION = (
    "Bring a model of the Hugging Face hub into the store. A pull that was interrupted continues; "
    "what is there already is not fetched again. Environment: HF_ENDPOINT, HF_TOKEN, "
    "HF_HUB_OFFLINE."
)


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument(
        "model", help="hf:org/repo, hf:org/repo:Q4_K_M or hf:org/repo:file.gguf, also @revision"
    )
    parser.add_argument("--name", help="keep it under this name")
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="DIR",
        help="take the files from this folder (or GGUF file) instead of the hub",
    )


def run(options: argparse.Namespace) -> int:
    """Pull, showing what is going on."""
    model = fetch(options.model, options.name, options.source)
    note(f"{model.name}: {size_text(model.manifest.size)} in the store")
    return 0


def fetch(model: str, name: str | None = None, source: Path | None = None) -> StoredModel:
    """Pull or import a model with a display on standard error."""
    from pyinfer.store.pull import import_files, pull

    with PullDisplay() as display:
        if source is not None:
            return import_files(source, name or model, progress=display.show)
        return pull(model, name=name, progress=display.show)
