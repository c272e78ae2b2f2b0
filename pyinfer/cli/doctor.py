"""``pyinfer doctor``: what decides the speed here, and which models fit."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

from pyinfer.cli.arguments import Parser
from pyinfer.cli.outcome import note
from pyinfer.cli.quantities import size_text, table_lines
from pyinfer.cli.terminal import is_terminal, put

if TYPE_CHECKING:
    from pyinfer.diagnose.doctor import Findings

DESCRIPTION = (
    "Examine this machine: CPU features and kernels, threads, memory, measured limits, where files "
    "are kept, and for every stored model whether it fits and how fast it can be. Times the walk "
    "of the weights anew and keeps the result. Takes a few seconds."
)


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Examine and print."""
    from pyinfer.diagnose.doctor import examine

    def report(step: str) -> None:
        if is_terminal(sys.stderr):
            note(f"pyinfer: {step} ...")

    findings = examine(report)
    if options.json:
        put(sys.stdout, json.dumps(asdict(findings), indent=1) + "\n")
    else:
        put(sys.stdout, "\n".join(_page(findings)) + "\n")
    return 0


def _page(findings: Findings) -> list[str]:
    lines: list[str] = []
    for title, facts in findings.sections.items():
        lines.append(title)
        for name, value in facts.items():
            indent = " " * 28
            lines += textwrap.wrap(
                f"  {name:<26}{value}",
                max(60, shutil.get_terminal_size().columns - 1),
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
        lines.append("")
    lines.append("Models")
    rows = [["  NAME", "MEMORY", "FITS", "DECODE UP TO", "PROMPT UP TO"]]
    for model in findings.models:
        if not model.problem:
            rows.append(
                [
                    f"  {model.name}",
                    size_text(model.memory),
                    "yes" if model.fits else "no",
                    f"{model.decode:.1f} tok/s",
                    f"{model.prompt:.0f} tok/s",
                ]
            )
    lines += table_lines(rows) if len(rows) > 1 else ["  none that runs; see pyinfer pull --help"]
    lines += [f"  {m.name} does not run: {m.problem}" for m in findings.models if m.problem]
    return lines
