"""Options of the commands that measure a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pyinfer.cli.arguments import Parser, positive
from pyinfer.cli.load_options import add_load_options, add_model_option, load_options, model_name
from pyinfer.cli.progress import ProgressBar

if TYPE_CHECKING:
    from pyinfer.eval.subject import Subject


def add_subject_options(parser: Parser) -> None:
    """Describe the model and how it runs."""
    model = parser.add_argument_group("model")
    add_model_option(model)
    add_load_options(model, "dtype", "threads", "isa", "kv_type")


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
        return Subject(options.model, load_options(options, ctx_size=n_ctx), bar.report)
