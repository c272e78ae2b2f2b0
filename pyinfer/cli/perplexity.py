"""``pyinfer perplexity``: how well a model predicts a text, and how far it is from a base."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyinfer.cli.arguments import Parser, positive
from pyinfer.cli.outcome import note
from pyinfer.cli.progress import ProgressBar
from pyinfer.cli.subject_options import add_subject_options, add_window_options, load_subject
from pyinfer.cli.terminal import put
from pyinfer.cli.text_input import read_text
from pyinfer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyinfer.eval.divergence import Divergence
    from pyinfer.eval.perplexity import Estimate
    from pyinfer.eval.subject import Subject
    from pyinfer.eval.windows import Window

DESCRIPTION = (
    "Measure the perplexity of a text, as llama.cpp defines it: the text is cut into windows, the "
    "second half of each is scored. With --kl-base the logits are saved, or, if the file exists, "
    "compared with those saved."
)
MIN_CONTEXT = 4


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    add_subject_options(parser)
    add_window_options(parser)
    parser.add_argument(
        "--ppl-stride",
        type=positive,
        metavar="N",
        help="overlapping windows, N tokens apart; the last N of each are scored",
    )
    parser.add_argument(
        "--kl-base",
        type=Path,
        metavar="FILE",
        help="logits of a base model: saved if FILE is not there, else compared (its text is used)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Measure and report."""
    if options.ctx_size < MIN_CONTEXT:
        raise UsageError(f"--ctx-size must be at least {MIN_CONTEXT}")
    if options.ppl_stride is not None:
        if options.kl_base is not None:
            raise UsageError("--kl-base excludes --ppl-stride")
        if options.ppl_stride >= options.ctx_size:
            raise UsageError("--ppl-stride must be smaller than --ctx-size")
    if options.kl_base is not None and options.kl_base.exists():
        return _compare(options)
    text = read_text(options.file)
    stride = options.ppl_stride
    with load_subject(options, options.ctx_size + (stride or 0) // 2) as subject:
        windows, tokens = _windows(options, subject, text)
        if options.kl_base is not None:
            estimate = _save(options, subject, windows, tokens)
        else:
            estimate = _score(subject, windows)
    length = len(windows[0].tokens)
    if options.json:
        put(sys.stdout, json.dumps(_facts(subject.name, estimate, len(windows), length)) + "\n")
    else:
        put(
            sys.stdout,
            f"perplexity {_with_error(estimate)} ({estimate.count:,} tokens in {len(windows):,} "
            f"windows of {length})\n",
        )
    return 0


def _windows(options: argparse.Namespace, subject: Subject, text: str) -> tuple[list[Window], Any]:
    from pyinfer.eval.windows import halves, strided, text_tokens

    tokenizer = subject.tokenizer
    tokens = text_tokens(tokenizer, text, special=options.special)
    if options.ppl_stride is not None:
        return strided(tokens, options.ctx_size, options.ppl_stride, options.chunks), tokens
    bos = tokenizer.bos_id if tokenizer.add_bos else None
    return halves(tokens, options.ctx_size, bos, options.chunks), tokens


def _score(subject: Subject, windows: Sequence[Window], keep: Any = None) -> Estimate:
    from pyinfer.eval.perplexity import score

    with ProgressBar("Perplexity", "windows") as bar:

        def report(done: int, estimate: Estimate) -> None:
            bar.describe(f"Perplexity {_with_error(estimate)}")
            bar.report(done, len(windows))

        bar.report(0, len(windows))
        return score(subject.model, windows, report, keep)


def _save(
    options: argparse.Namespace, subject: Subject, windows: Sequence[Window], tokens: Any
) -> Estimate:
    from pyinfer.eval.logits_file import LogitsWriter, Shape

    shape = Shape(options.ctx_size, subject.model.config.vocab_size, len(windows))
    writer = LogitsWriter(options.kl_base, shape, tokens[: len(windows) * options.ctx_size])
    with writer.file:
        estimate = _score(subject, windows, writer.add)
        writer.file.publish()
    note(f"pyinfer: logits saved in {options.kl_base} ({shape.n_bytes:,} bytes)")
    return estimate


def _check_text(options: argparse.Namespace, subject: Subject, saved: Any) -> None:
    """Refuse a text that is not the one whose logits were saved."""
    from pyinfer.eval.windows import text_tokens

    tokens = text_tokens(subject.tokenizer, read_text(options.file), special=options.special)
    if tokens[: len(saved)].tolist() != saved.tolist():
        raise UsageError(
            f"{options.kl_base.name} holds the logits of another text or tokenizer",
            hint="leave out --file, or save the logits of this text under another name",
        )


def _compare(options: argparse.Namespace) -> int:
    from pyinfer.eval.divergence import compare
    from pyinfer.eval.logits_file import LogitsReader
    from pyinfer.eval.windows import second_halves

    with (
        LogitsReader(options.kl_base) as base,
        load_subject(options, base.shape.n_ctx) as subject,
    ):
        if options.file is not None:
            _check_text(options, subject, base.tokens.reshape(-1))
        tokenizer = subject.tokenizer
        bos = tokenizer.bos_id if tokenizer.add_bos else None
        windows = second_halves(base.tokens[: options.chunks], bos)
        with ProgressBar("Comparing", "windows") as bar:

            def report(done: int, found: Divergence) -> None:
                mean, error = found.mean_kl()
                bar.describe(f"Mean divergence {mean:.5f} ± {error:.5f}")
                bar.report(done, len(windows))

            found = compare(subject.model, windows, base, report)
    if options.json:
        put(sys.stdout, json.dumps(_comparison(subject.name, found, base.shape.n_ctx)) + "\n")
    else:
        put(sys.stdout, "\n".join(_comparison_lines(found)) + "\n")
    return 0


def _with_error(estimate: Estimate) -> str:
    return f"{estimate.perplexity:.4f} ± {estimate.error:.4f}"


def _facts(name: str, estimate: Estimate, n_windows: int, length: int) -> dict[str, Any]:
    return {
        "model": name,
        "perplexity": estimate.perplexity,
        "perplexity_error": estimate.error,
        "mean_nll": estimate.mean,
        "tokens": estimate.count,
        "windows": n_windows,
        "ctx_size": length,
    }


def _comparison(name: str, found: Divergence, n_ctx: int) -> dict[str, Any]:
    mean, error = found.mean_kl()
    share, share_error = found.top_agreement()
    facts = _facts(name, found.model, found.count // (n_ctx - 1 - n_ctx // 2), n_ctx)
    return {
        **facts,
        "base_perplexity": found.base.perplexity,
        "log_ratio": found.log_ratio(),
        "mean_kl": mean,
        "mean_kl_error": error,
        "kl_percentiles": found.percentiles(),
        "same_top": share,
        "same_top_error": share_error,
        "rms_probability_change": found.rms_shift(),
    }


def _comparison_lines(found: Divergence) -> list[str]:
    mean, error = found.mean_kl()
    share, share_error = found.top_agreement()
    rows = [
        ("perplexity", _with_error(found.model)),
        ("perplexity of the base", _with_error(found.base)),
        ("ln(ratio)", f"{found.log_ratio():.6f}"),
        ("mean divergence", f"{mean:.6f} ± {error:.6f} nats"),
        *((f"  {name}", f"{value:.6f}") for name, value in found.percentiles().items()),
        ("same best token", f"{share:.3%} ± {share_error:.3%}"),
        ("probability change (RMS)", f"{found.rms_shift():.3%}"),
        ("tokens", f"{found.count:,}"),
    ]
    return [f"{name + ':':<26} {value}" for name, value in rows]
