"""``pyinfer quantize``: a GGUF file in other formats."""

from __future__ import annotations

import argparse
from pathlib import Path

from pyinfer.cli.arguments import Parser
from pyinfer.cli.convert import report
from pyinfer.cli.load_options import MODEL_FORMS, add_load_options
from pyinfer.cli.progress import ProgressBar
from pyinfer.errors import UsageError

DESCRIPTION = (
    "Write a GGUF file with its tensors in other formats. The result appears when it is whole; an "
    "interrupt or a full disk leaves nothing behind."
)


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    from pyinfer.quant.plan import MIXES

    parser.set_defaults(run=run)
    parser.add_argument("source", metavar="MODEL", help=MODEL_FORMS)
    parser.add_argument("out", type=Path, metavar="OUT", help="GGUF file to write")
    parser.add_argument("type", type=str.lower, metavar="TYPE", help=", ".join(MIXES))
    parser.add_argument(
        "--tensor-type",
        action="append",
        default=[],
        metavar="REGEX=TYPE",
        help="another format for some tensors, such as ffn_down=q8_0; may be repeated",
    )
    parser.add_argument("--pure", action="store_true", help="every matrix in the same format")
    parser.add_argument("--imatrix", type=Path, metavar="FILE", help="see pyinfer imatrix")
    parser.add_argument("--fit", action="store_true", help="search for the best scales")
    parser.add_argument(
        "--allow-requantize", action="store_true", help="also what is quantized already"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    add_load_options(parser, "threads")


def run(options: argparse.Namespace) -> int:
    """Quantize and report."""
    from pyinfer.checkpoint.checkpoint import open_checkpoint
    from pyinfer.convert.requantize import requantize
    from pyinfer.quant.plan import FileRules, parse_override
    from pyinfer.store.resolve import resolve_model

    rules = FileRules(
        options.type, [parse_override(text) for text in options.tensor_type], options.pure
    )
    model = resolve_model(options.source)
    with (
        model.reading(),
        open_checkpoint(model.path) as checkpoint,
        ProgressBar("Quantizing", "bytes") as bar,
    ):
        if checkpoint.kind != "gguf":
            raise UsageError("the source is a folder", hint="pyinfer convert writes it as GGUF")
        written = requantize(
            checkpoint,
            options.out,
            rules,
            imatrix=options.imatrix,
            fit=options.fit,
            allow_quantized=options.allow_requantize,
            force=options.force,
            threads=options.threads,
            progress=bar.report,
        )
    report(written)
    return 0
