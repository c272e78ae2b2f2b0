"""``pyinfer convert``: a checkpoint folder into a GGUF file, and back."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyinfer.cli.arguments import Parser
from pyinfer.cli.load_options import MODEL_FORMS, add_load_options
from pyinfer.cli.outcome import note
from pyinfer.cli.progress import ProgressBar
from pyinfer.cli.terminal import put, visible
from pyinfer.errors import UsageError

if TYPE_CHECKING:
    from pyinfer.convert.to_gguf import Written

DESCRIPTION = (
    "Write a Hugging Face folder as a GGUF file, or a GGUF file as a Hugging Face folder. "
    "The result appears when it is whole; an interrupt or a full disk leaves nothing behind."
)


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument("source", metavar="MODEL", help=MODEL_FORMS)
    parser.add_argument("out", type=Path, metavar="OUT", help="GGUF file, or folder, to write")
    parser.add_argument(
        "--dtype",
        "--outtype",
        type=str.lower,
        metavar="TYPE",
        help="what most matrices become; default: what they are, f32 for quantized ones",
    )
    parser.add_argument("--pure", action="store_true", help="every matrix in the same format")
    parser.add_argument("--name", help="name to write into the file; default: the folder's")
    parser.add_argument("--force", action="store_true", help="replace an existing result")
    add_load_options(parser, "threads")


def run(options: argparse.Namespace) -> int:
    """Convert and report."""
    from pyinfer.checkpoint.checkpoint import open_checkpoint
    from pyinfer.store.resolve import resolve_model

    model = resolve_model(options.source)
    with (
        model.reading(),
        open_checkpoint(model.path) as checkpoint,
        ProgressBar("Converting", "bytes") as bar,
    ):
        if checkpoint.kind == "gguf":
            if options.out.suffix.lower() == ".gguf":
                raise UsageError(
                    "the source is a GGUF file already",
                    hint="pyinfer quantize writes it in other formats; a folder has no .gguf name",
                )
            from pyinfer.convert.to_folder import gguf_to_folder

            written = gguf_to_folder(
                checkpoint,
                options.out,
                options.dtype,
                force=options.force,
                threads=options.threads,
                progress=bar.report,
            )
        else:
            from pyinfer.convert.to_gguf import folder_to_gguf, stored_float
            from pyinfer.quant.plan import FileRules

            mix = options.dtype or stored_float(checkpoint)
            written = folder_to_gguf(
                checkpoint,
                options.out,
                FileRules(mix, pure=options.pure),
                name=options.name,
                force=options.force,
                threads=options.threads,
                progress=bar.report,
            )
    report(written)
    return 0


def report(written: Written) -> None:
    """Print what was written; what differs from the request goes to standard error."""
    for line in written.notes:
        note(f"pyinfer: {visible(line)}")
    counts = ", ".join(f"{count} x {kind}" for kind, count in written.counts)
    put(
        sys.stdout,
        f"{visible(str(written.path))}: {written.n_bytes:,} bytes, "
        f"{written.bits_per_weight:.2f} bits per weight ({counts})\n",
    )
