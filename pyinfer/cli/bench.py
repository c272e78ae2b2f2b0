"""``pyinfer bench``: prompt and decode speed beside the limits of the machine."""

from __future__ import annotations

import argparse
import re
import sys

from pyinfer.cli.arguments import Parser, positive
from pyinfer.cli.load_options import add_load_options, add_model_option, load_options, model_path
from pyinfer.cli.outcome import note
from pyinfer.cli.terminal import put

DESCRIPTION = (
    "Measure prompt (pp) and decode (tg) speed as llama-bench does, and which share of the "
    "machine's limits it is. Lists such as 128,512 or 1-8+1 or 1-8*2 run every combination. "
    "Without --model the embedded model runs."
)
FORMATS = ("md", "csv", "json", "jsonl")
MAX_LENGTH = 1 << 24
MAX_VALUES = 1024

_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9})(?:([+*])([0-9]{1,9}))?)?")


def numbers(text: str) -> list[int]:
    """Read ``512``, ``128,512``, ``1-4``, ``128-512+128`` or ``1-8*2``."""
    values: list[int] = []
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise argparse.ArgumentTypeError(
                f"must be numbers such as 512, 128,512 or 1-8*2, found {text!r}"
            )
        first, last = int(found[1]), int(found[2] or found[1])
        times, step = found[3] == "*", int(found[4] or 1)
        if last < first or step < 1 + times or first < times:
            raise argparse.ArgumentTypeError(f"the range {part!r} is empty or never ends")
        while first <= last and len(values) <= MAX_VALUES:
            values.append(first)
            first = first * step if times else first + step
    if len(values) > MAX_VALUES or max(values) > MAX_LENGTH:
        raise argparse.ArgumentTypeError(f"too many or too large numbers in {text!r}")
    return values


def positives(text: str) -> list[int]:
    """Read numbers of at least 1."""
    values = numbers(text)
    if min(values) < 1:
        raise argparse.ArgumentTypeError(f"must be positive numbers, found {text!r}")
    return values


def pair(text: str) -> tuple[int, int]:
    """Read ``512,128``."""
    found = re.fullmatch(r"([0-9]{1,9}),([0-9]{1,9})", text.strip())
    if found is None or max(int(found[1]), int(found[2])) > MAX_LENGTH:
        raise argparse.ArgumentTypeError(f"must be two numbers such as 512,128, found {text!r}")
    return int(found[1]), int(found[2])


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    add_model_option(parser)
    add_load_options(parser, "dtype", "isa")
    lists = parser.add_argument_group("tests; lists run every combination")
    for short, name, kind, text in (
        ("-p", "--n-prompt", numbers, "prompt lengths; 0 is none (default: 512)"),
        ("-n", "--n-gen", numbers, "tokens to generate; 0 is none (default: 128)"),
        ("-d", "--n-depth", numbers, "tokens in the cache before (default: 0)"),
        ("-np", "--n-parallel", positives, "sequences side by side (default: 1)"),
        ("-t", "--threads", positives, "default: all cores"),
    ):
        lists.add_argument(short, name, type=kind, action="extend", metavar="N", help=text)
    lists.add_argument(
        "-pg", dest="both", type=pair, action="append", metavar="PP,TG", help="prompt and decode"
    )
    parser.add_argument(
        "-r", "--repetitions", type=positive, default=5, metavar="N", help="default: 5"
    )
    parser.add_argument("--no-warmup", action="store_true", help="measure at once")
    parser.add_argument(
        "-o", "--output", choices=FORMATS, default="md", help="format of the results (default: md)"
    )
    parser.add_argument("--progress", action="store_true", help="name each test on standard error")


def run(options: argparse.Namespace) -> int:
    """Measure and print, line by line."""
    from pyinfer import __version__
    from pyinfer.diagnose.bench import BenchRequest, BenchTest, run_bench
    from pyinfer.diagnose.bench_report import BenchWriter

    request = BenchRequest(
        model=None if options.model is None else model_path(options.model),
        prompts=options.n_prompt or (512,),
        generations=options.n_gen or (128,),
        both=options.both or (),
        depths=options.n_depth or (0,),
        sequences=options.n_parallel or (1,),
        threads=options.threads or (),
        repetitions=options.repetitions,
        options=load_options(options, threads=None),
        warm_up=not options.no_warmup,
    )

    def announce(test: BenchTest) -> None:
        if options.progress:
            note(f"pyinfer: {test.name}, {test.threads} threads, {test.sequences} sequences")

    writer = BenchWriter(options.output, __version__)
    for result in run_bench(request, announce):
        put(sys.stdout, writer.line(result))
    put(sys.stdout, writer.end())
    return 0
