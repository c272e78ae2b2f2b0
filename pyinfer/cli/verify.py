"""``pyinfer verify``: replay the published answers of a model."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyinfer.cli.arguments import Parser
from pyinfer.cli.load_options import (
    MODEL_FORMS,
    add_load_options,
    load_options,
    model_name,
    model_path,
)
from pyinfer.cli.progress import ProgressBar
from pyinfer.cli.terminal import put, visible
from pyinfer.errors import ModelFormatError

if TYPE_CHECKING:
    from pyinfer import LLM
    from pyinfer.eval.golden_file import Golden
    from pyinfer.eval.verify import CaseResult

DESCRIPTION = (
    "Replay published greedy answers of a model and measure how well it predicts them. Answers of "
    "DeepSeek-R1-Distill-Qwen-1.5B and of the embedded model are known; others come from a file."
)

MAX_SHOWN = 5


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", help=f"{MODEL_FORMS}; default: the embedded model"
    )
    parser.add_argument("--golden", type=Path, metavar="FILE", help="published answers")
    parser.add_argument(
        "--dtype", help="format of a folder's weights in memory; default: what the file holds"
    )
    add_load_options(parser, "threads", "isa")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Replay all cases and report; a failure is a ModelFormatError."""
    from pyinfer.eval.verify import check_texts, replay

    golden, llm = _load(options)
    with llm, ProgressBar("Replaying", "answers") as bar:
        texts = check_texts(llm, golden)
        results: list[CaseResult] = []
        for case in golden.cases:
            bar.report(len(results), len(golden.cases))
            results.append(replay(llm, case))
    passed = not texts and all(result.passed for result in results)
    if options.json:
        facts = {"model": llm.info.name, "golden": golden.model, "passed": passed}
        facts |= {"texts_with_other_tokens": texts, "cases": [_facts(r) for r in results]}
        put(sys.stdout, json.dumps(facts) + "\n")
    else:
        lines = [f"answers published by {visible(golden.model)}:"]
        lines += [line for result in results for line in _lines(result)]
        lines += [f"other tokens than published: {visible(text)!r}" for text in texts]
        put(sys.stdout, "\n".join(lines) + "\n")
    if not passed:
        raise ModelFormatError(
            f"{llm.info.name} does not answer as {golden.model} did",
            hint="damaged or other weights (a fine-tune answers differently), or a bug here",
        )
    return 0


def _load(options: argparse.Namespace) -> tuple[Golden, LLM]:
    import pyinfer
    from pyinfer.checkpoint.checkpoint import open_checkpoint
    from pyinfer.convert.to_gguf import stored_float
    from pyinfer.eval.golden_file import find_golden, read_golden

    with open_checkpoint(model_path(options.model)) as checkpoint:
        if options.golden is not None:
            golden = read_golden(options.golden)
        else:
            golden = find_golden(checkpoint.path, checkpoint.config)
        dtype = options.dtype
        if dtype is None and checkpoint.kind == "folder":
            dtype = stored_float(checkpoint)
    longest = max((len(c.prompt_ids) + len(c.answer) for c in golden.cases), default=1)
    with ProgressBar(f"Loading {model_name(options.model)}", "bytes") as bar:
        chosen = asdict(load_options(options, dtype=dtype, ctx_size=longest + 1))
        llm = pyinfer.load(options.model, progress=bar.report, **chosen)
    return golden, llm


def _facts(result: CaseResult) -> dict[str, Any]:
    return {
        "name": result.case.name,
        "passed": result.passed,
        "replayed": result.replayed,
        "of": len(result.case.answer),
        "deviations": [
            {"position": d.position, "published": d.published, "best": d.best, "gap": d.gap}
            for d in result.deviations
        ],
        "perplexity": result.perplexity,
        "logprob_error": result.logprob_error,
        "prompt_matches": result.prompt_matches,
    }


def _lines(result: CaseResult) -> list[str]:
    case = result.case
    verdict = "same" if result.exact else "ties only" if result.passed else "DIFFERENT"
    if result.exact and not result.passed:
        verdict = "FAILED"
    lines = [
        f"  {visible(case.name)}: {verdict}, {result.replayed} of {len(case.answer)} tokens "
        f"repeated, perplexity of the answer {result.perplexity:.3f}"
    ]
    lines += [
        f"    token {d.position}: {d.best} instead of {d.published}, ahead by {d.gap:.3f}"
        for d in result.deviations[:MAX_SHOWN]
    ]
    if len(result.deviations) > MAX_SHOWN:
        lines.append(f"    and at {len(result.deviations) - MAX_SHOWN} more tokens")
    if not result.prompt_matches:
        lines.append("    the text of the prompt has other tokens than published")
    if case.logprobs:
        lines.append(f"    log-probabilities differ by {result.logprob_error:.3f} at most")
    return lines
