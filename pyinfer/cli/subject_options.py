"""Options of the commands that measure a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pyinfer.cli.arguments import Parser, positive
from pyinfer.cli.isa_option import add_isa_option
from pyinfer.cli.model_option import add_model_option, model_name
from pyinfer.cli.progress import ProgressBar

if TYPE_CHECKING:
    from pyinfer.eval.subject import Subject


def add_subject_options(parser: Parser) -> None:
    """Describe the model and how it runs."""
    model = parser.add_argument_group("model")
    add_model_option(model)
    model.add_argument("--dtype", help="q4_0, q8_0, f16, bf16 or f32; default q8_0 for folders")
    model.add_argument("-t", "--threads", type=positive, metavar="N", help="default: all cores")
    add_isa_option(model)
    model.add_argument("--kv-type", help="cached keys and values: f16, f32 or q8_0; default f16")


def add_window_options(parser: Parser) -> None:
    """Describe the text and how it is cut."""
    text = parser.add_argument_group("text")
    text.add_argument("-f", "--file", type=Path, metavar="PATH", help="default: standard input")
    text.add_argument(
        "-c", "--ctx-size", type=positive, default=512, metavar="N", help="window; default 512"
    )
    text.add_argument("--chunks", type=positive, metavar="N", help="only the first N windows")
    text.add_argument(
        "--special", action="store_true", help="names of control tokens in the text are tokens"
    )


def load_subject(options: argparse.Namespace, n_ctx: int) -> Subject:
    """Load the model with a progress bar."""
    from pyinfer.eval.subject import Subject

    with ProgressBar(f"Loading {model_name(options.model)}", "bytes") as bar:
        return Subject(
            options.model,
            n_ctx,
            dtype=options.dtype,
            threads=options.threads,
            isa=options.isa,
            kv_type=options.kv_type,
            progress=bar.report,
        )
