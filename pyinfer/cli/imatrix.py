"""``pyinfer imatrix``: how strongly each input of each matrix is used, for ``quantize``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pyinfer.cli.arguments import Parser
from pyinfer.cli.progress import ProgressBar
from pyinfer.cli.subject_options import add_subject_options, add_window_options, load_subject
from pyinfer.cli.terminal import put, visible
from pyinfer.cli.text_input import read_text
from pyinfer.errors import UsageError

DESCRIPTION = (
    "Evaluate a text and write how large the inputs of each matrix are on average. "
    "pyinfer quantize --imatrix uses it, and llama.cpp does, too. Best with an unquantized model."
)
MIN_CONTEXT = 4


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    add_subject_options(parser)
    add_window_options(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="to write")
    parser.add_argument("--process-output", action="store_true", help="also for the output matrix")
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def run(options: argparse.Namespace) -> int:
    """Evaluate, write, report."""
    if options.ctx_size < MIN_CONTEXT:
        raise UsageError(f"--ctx-size must be at least {MIN_CONTEXT}")
    text = read_text(options.file)
    from pyinfer.convert.output_file import check_target
    from pyinfer.eval.importance import collect
    from pyinfer.eval.importance_file import write_importance
    from pyinfer.eval.windows import halves, text_tokens

    check_target(options.out, options.force)
    with load_subject(options, options.ctx_size) as subject:
        tokenizer = subject.tokenizer
        tokens = text_tokens(tokenizer, text, special=options.special)
        bos = tokenizer.bos_id if tokenizer.add_bos else None
        windows = [w.tokens for w in halves(tokens, options.ctx_size, bos, options.chunks)]
        with ProgressBar("Collecting", "windows") as bar:
            bar.report(0, len(windows))
            found = collect(
                subject.model,
                windows,
                with_head=options.process_output,
                report=lambda done: bar.report(done, len(windows)),
            )
    dataset = "standard input" if options.file is None else options.file.name
    write_importance(
        options.out,
        found,
        dataset=dataset,
        n_windows=len(windows),
        n_ctx=options.ctx_size,
        force=options.force,
    )
    put(
        sys.stdout,
        f"{visible(str(options.out))}: {len(found.squares)} matrices, {found.tokens:,} tokens\n",
    )
    return 0
