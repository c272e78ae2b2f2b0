"""``pyinfer run``: a chat in the terminal, or one answer for a prompt or a pipe."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from pyinfer.cli.arguments import Parser, positive, switch
from pyinfer.cli.model_option import MODEL_FORMS, model_name
from pyinfer.cli.outcome import note
from pyinfer.cli.progress import ProgressBar
from pyinfer.cli.prompt import read_prompt, read_stdin
from pyinfer.cli.terminal import TextWriter, is_terminal
from pyinfer.errors import ModelNotFoundError, UsageError

if TYPE_CHECKING:
    from pyinfer import LLM
    from pyinfer.cli.chat_session import Session

DESCRIPTION = (
    "Chat with a model in the terminal. With a prompt, or with text from a pipe, answer once. "
    "Without a model the embedded one runs. A hf: model that is not here is pulled first."
)


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.switches |= {"--think"}
    parser.intermixed = True
    parser.add_argument("model", nargs="?", help=MODEL_FORMS)
    parser.add_argument("prompt", nargs="*", help="answer this and leave")
    parser.add_argument("--system", default="", metavar="TEXT", help="system message")
    parser.add_argument(
        "--think", type=switch, metavar="BOOL", help="--think=false: answer without reasoning"
    )
    parser.add_argument(
        "--no-think", dest="think", action="store_const", const=False, help="the same"
    )
    parser.add_argument(
        "--hide-thinking", "--hidethinking", action="store_true", help="fold the reasoning"
    )
    parser.add_argument(
        "--no-wordwrap", "--nowordwrap", action="store_true", help="do not break lines at words"
    )
    parser.add_argument("--verbose", action="store_true", help="timings after each answer")
    parser.add_argument("--dtype", help="q4_0, q8_0, f16, bf16 or f32; default q8_0 for folders")
    parser.add_argument("-c", "--ctx-size", type=positive, metavar="N", help="context in tokens")
    parser.add_argument("-t", "--threads", type=positive, metavar="N", help="default: all cores")
    parser.add_argument("--isa", help="highest instruction set: scalar, avx2, avx512vnni")


def run(options: argparse.Namespace) -> int:
    """Answer once, or chat until the user leaves."""
    from pyinfer.cli.chat_session import Session

    piped = sys.stdin is not None and not is_terminal(sys.stdin)
    session = Session(options.model, system=options.system, think=options.think)
    if options.prompt or piped:
        return _once(options, session, _prompt(options.prompt, piped))
    if not is_terminal(sys.stdin) or not is_terminal(sys.stdout):
        raise UsageError(
            "a chat needs a terminal", hint="give a prompt, or pipe it in, for a single answer"
        )
    return _chat(options, session)


def _prompt(words: list[str], piped: bool) -> str:
    """The words of the command line, and what is piped in after them."""
    if not words:
        return read_prompt("-")
    text = read_stdin().strip("\n") if piped else ""
    return read_prompt(" ".join(words) + (f"\n\n{text}" if text else ""))


def _load(options: argparse.Namespace, model: str | None) -> LLM:
    import pyinfer
    from pyinfer.cli.pull import fetch
    from pyinfer.store.names import is_hub_reference
    from pyinfer.store.resolve import resolve_model

    resolved = None
    if model is None:
        note("pyinfer: the embedded demo model; it only knows a few small tasks")
    else:
        try:
            resolved = resolve_model(model)
        except ModelNotFoundError:
            if not is_hub_reference(model):
                raise
            resolved = resolve_model(str(fetch(model).name))
    with ProgressBar(f"Loading {model_name(model)}", "bytes") as bar:
        return pyinfer.load(
            resolved,
            dtype=options.dtype,
            threads=options.threads,
            ctx_size=options.ctx_size,
            isa=options.isa,
            progress=bar.report,
        )


def _once(options: argparse.Namespace, session: Session, prompt: str) -> int:
    from pyinfer.cli.report import verbose_lines

    llm = _load(options, options.model)
    writer = TextWriter(sys.stdout, options.hide_thinking)
    with llm, llm.stream_chat(session.prompt(prompt), think=session.think) as stream:
        try:
            for chunk in stream:
                writer.write(chunk.kind, chunk.text)
        finally:
            writer.finish()
        if options.verbose:
            from pyinfer.diagnose.limits import read_bandwidth

            bandwidth = read_bandwidth(llm.info.threads, llm.info.isa)
            for line in verbose_lines(llm.info, stream.result(), bandwidth):
                note(line)
    return 0


def _chat(options: argparse.Namespace, session: Session) -> int:
    from pyinfer.cli.chat import Chat

    if os.environ.get("TERM", "dumb") == "dumb":
        raise UsageError("this terminal cannot move its cursor", hint="set TERM, or give a prompt")
    chat = Chat(lambda model: _load(options, model), session)
    chat.fold, chat.wrap = options.hide_thinking, not options.no_wordwrap
    chat.verbose = options.verbose
    try:
        with options.interrupts.tolerated():
            chat.loop()
    finally:
        chat.close()
    return 0
