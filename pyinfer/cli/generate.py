"""``pyinfer generate``: one prompt, one answer."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pyinfer.cli.arguments import Parser, switch
from pyinfer.cli.load_options import add_load_options, add_model_option, load_options, model_name
from pyinfer.cli.outcome import note
from pyinfer.cli.progress import MIN_PROMPT_TOKENS, ProgressBar
from pyinfer.cli.prompt import read_prompt
from pyinfer.cli.report import json_report, verbose_lines
from pyinfer.cli.terminal import TextWriter, is_terminal, put
from pyinfer.errors import UsageError

if TYPE_CHECKING:
    from pyinfer import LLM, SamplingParams, TextStream
    from pyinfer.requests.streams import PromptProgress

DESCRIPTION = "Answer one prompt and stream the text. Without --model the embedded model runs."

# (option, its other spelling, type, help); options are named as in SamplingParams.
_SAMPLING: tuple[tuple[str, str, Any, str], ...] = (
    ("--temperature", "--temp", float, "0 takes the best token; default from the model"),
    ("--top-k", "", int, "sample from the best K tokens; 0 is off"),
    ("--top-p", "", float, "sample from the best tokens that reach this probability"),
    ("--min-p", "", float, "drop tokens below this share of the best one"),
    ("--typical-p", "", float, "locally typical sampling; 1 is off"),
    ("--repetition-penalty", "--repeat-penalty", float, "1 is off"),
    ("--repeat-last-n", "", int, "tokens the penalties look at; -1 is all"),
    ("--presence-penalty", "", float, "0 is off"),
    ("--frequency-penalty", "", float, "0 is off"),
    ("--seed", "", int, "the same seed gives the same text"),
    ("--max-tokens", "-n", int, "most tokens to generate; default: until the context is full"),
)


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.switches |= {"--think"}
    parser.add_argument("prompt", nargs="?", help="the prompt; - reads it from standard input")
    model = parser.add_argument_group("model")
    add_model_option(model)
    add_load_options(model)
    chat = parser.add_argument_group("prompt and output")
    chat.add_argument("--system", metavar="TEXT", help="system message")
    chat.add_argument("--raw", action="store_true", help="no chat template: continue the text")
    chat.add_argument(
        "--think", type=switch, metavar="BOOL", help="--think=false: answer without reasoning"
    )
    chat.add_argument(
        "--no-think", dest="think", action="store_const", const=False, help="the same"
    )
    chat.add_argument(
        "--hide-thinking", "--hidethinking", action="store_true", help="do not show the reasoning"
    )
    chat.add_argument("--json", action="store_true", help="print one JSON object at the end")
    chat.add_argument("--verbose", action="store_true", help="timings on standard error")
    sampling = parser.add_argument_group("sampling")
    for name, other, kind, text in _SAMPLING:
        names = [name, other] if other else [name]
        sampling.add_argument(*names, type=kind, metavar="N" if kind is int else "X", help=text)
    sampling.add_argument(
        "--stop", action="append", metavar="TEXT", help="end before this text; may be repeated"
    )


def run(options: argparse.Namespace) -> int:
    """Load the model, stream the answer, report."""
    prompt = read_prompt(options.prompt)
    if options.raw and (options.system is not None or options.think is not None):
        raise UsageError(
            "--raw excludes --system and --think", hint="Raw prompts use no chat template"
        )
    params = _sampling(options)
    with _load(options) as llm, ProgressBar("Reading the prompt", "tokens") as bar:

        def progress(done: int, total: int, cached: int) -> None:
            if total >= MIN_PROMPT_TOKENS:
                bar.report(done, total)

        with _start(llm, prompt, options, params, progress) as stream:
            if not options.json:
                _show(stream, bar, options.hide_thinking)
            result = stream.result()
        bar.close()
        if options.json:
            put(sys.stdout, json_report(llm.info, result, is_terminal(sys.stdout)) + "\n")
        if options.verbose:
            from pyinfer.diagnose.limits import read_bandwidth

            bandwidth = read_bandwidth(llm.info.threads, llm.info.isa)
            for line in verbose_lines(llm.info, result, bandwidth):
                note(line)
    return 0


def _sampling(options: argparse.Namespace) -> SamplingParams:
    from pyinfer import SamplingParams

    names = [option.lstrip("-").replace("-", "_") for option, *_ in _SAMPLING]
    given = {name: getattr(options, name) for name in names}
    chosen = {name: value for name, value in given.items() if value is not None}
    return SamplingParams(**chosen, stop=options.stop or ())


def _load(options: argparse.Namespace) -> LLM:
    import pyinfer

    if options.model is None:
        note(
            "pyinfer: no --model given, running the embedded demo model "
            "(it only knows a few small tasks)"
        )
    with ProgressBar(f"Loading {model_name(options.model)}", "bytes") as bar:
        return pyinfer.load(options.model, progress=bar.report, **asdict(load_options(options)))


def _start(
    llm: LLM,
    prompt: str,
    options: argparse.Namespace,
    params: SamplingParams,
    progress: PromptProgress,
) -> TextStream:
    if options.raw:
        return llm.stream(prompt, params=params, progress=progress)
    messages = [{"role": "user", "content": prompt}]
    if options.system is not None:
        messages.insert(0, {"role": "system", "content": options.system})
    return llm.stream_chat(messages, params=params, think=options.think, progress=progress)


def _show(stream: TextStream, bar: ProgressBar, hide_reasoning: bool) -> None:
    """Write the answer as it comes; an interrupted line is ended, too."""
    writer = TextWriter(sys.stdout, hide_reasoning)
    try:
        for chunk in stream:
            bar.close()
            writer.write(chunk.kind, chunk.text)
    except KeyboardInterrupt:
        bar.close()
        writer.finish()
        raise
    writer.finish()
