"""``pyinfer run``: a chat in the terminal, or one answer for a prompt or a pipe."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyinfer.cli.arguments import Parser, switch
from pyinfer.cli.chat_model import ChatModel, LocalModel
from pyinfer.cli.load_options import MODEL_FORMS, add_load_options, load_options, model_name
from pyinfer.cli.outcome import note
from pyinfer.cli.progress import ProgressBar
from pyinfer.cli.prompt import read_prompt, read_stdin
from pyinfer.cli.terminal import TextWriter, is_terminal
from pyinfer.errors import ModelNotFoundError, UsageError
from pyinfer.store.text_encoding import decode_text

if TYPE_CHECKING:
    from pyinfer.cli.chat_session import Session
    from pyinfer.text.grammar import Grammar

DESCRIPTION = (
    "Chat with a model in the terminal. With a prompt, or with text from a pipe, answer once. "
    "Without a model the embedded one runs. A hf: model that is not here is pulled first. If a "
    "server runs and has the model, it answers (PYINFER_HOST or OLLAMA_HOST, default "
    "127.0.0.1:11434); else, and with options about loading, the model is loaded here."
)
THINK_LEVELS = ("low", "medium", "high", "max")


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.switches |= {"--think"}
    parser.intermixed = True
    parser.add_argument("model", nargs="?", help=MODEL_FORMS)
    parser.add_argument("prompt", nargs="*", help="answer this and leave")
    parser.add_argument("--system", default="", metavar="TEXT", help="system message")
    parser.add_argument(
        "--think",
        type=_think,
        metavar="LEVEL",
        help="--think=false: answer without reasoning; also true, low, medium, high, max",
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
    parser.add_argument(
        "--keepalive", metavar="TIME", help="how long a server keeps the model, such as 10m or -1"
    )
    parser.add_argument(
        "--format", metavar="FORMAT", help="json, or a JSON schema, or a file that holds one"
    )
    parser.add_argument("--verbose", action="store_true", help="timings after each answer")
    add_load_options(parser)


def _think(text: str) -> bool | str:
    return text if text in THINK_LEVELS else switch(text)


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


def _open(options: argparse.Namespace, model: str | None) -> ChatModel:
    """The model as a running server serves it, else loaded here."""
    from pyinfer.checkpoint.load_options import LoadOptions

    here = replace(load_options(options), ctx_size=None) != LoadOptions()
    if model is not None and not here and not _is_path(model):
        from pyinfer.cli.served_model import ServedModel, find_served
        from pyinfer.cli.server_client import ServerClient, server_address

        client = ServerClient(server_address())
        shown = find_served(client, model)
        if shown is not None:
            return ServedModel(client, model, shown, _extra(options), options.ctx_size)
    return _load(options, model)


def _is_path(model: str) -> bool:
    return model.startswith((".", "/", "~")) or Path(model).exists()


def _extra(options: argparse.Namespace) -> dict[str, Any]:
    """Fields of requests to a server."""
    extra: dict[str, Any] = {}
    if options.keepalive is not None:
        extra["keep_alive"] = options.keepalive
    if options.format is not None:
        extra["format"] = _format(options.format)
    return extra


def _format(text: str) -> Any:
    """``json``, a schema, or what is in a file."""
    if text == "json":
        return text
    try:
        if not text.lstrip().startswith("{"):
            text = decode_text(Path(text).read_bytes())
        return json.loads(text)
    except (OSError, ValueError, RecursionError):
        raise UsageError(
            f"--format {text[:40]!r} is neither json nor a JSON schema nor a file that holds one"
        ) from None


def _grammar(wanted: Any) -> Grammar:
    """What a model that is loaded here has to follow; the package for it is looked for at once."""
    from pyinfer.text.grammar import Grammar, library, schema_grammar

    library()
    if wanted == "json":
        return Grammar("json_object", "", "--format")
    return schema_grammar(wanted, "--format")


def _load(options: argparse.Namespace, model: str | None) -> ChatModel:
    import pyinfer
    from pyinfer.cli.pull import fetch
    from pyinfer.store.names import is_hub_reference
    from pyinfer.store.resolve import resolve_model

    grammar = None if options.format is None else _grammar(_format(options.format))
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
        llm = pyinfer.load(resolved, progress=bar.report, **asdict(load_options(options)))
    return LocalModel(llm, grammar)


def _once(options: argparse.Namespace, session: Session, prompt: str) -> int:
    model = _open(options, options.model)
    writer = TextWriter(sys.stdout, options.hide_thinking)
    try:
        with model.stream(session.prompt(prompt), {}, session.think) as stream:
            try:
                for chunk in stream:
                    writer.write(chunk.kind, chunk.text)
            finally:
                writer.finish()
            result = stream.result()
        if options.verbose:
            for line in model.timings(result):
                note(line)
    finally:
        model.close()
    return 0


def _chat(options: argparse.Namespace, session: Session) -> int:
    from pyinfer.cli.chat import Chat
    from pyinfer.cli.chat_commands import WORDS, run_command
    from pyinfer.cli.chat_input import LineReader

    if os.environ.get("TERM", "dumb") == "dumb":
        raise UsageError("this terminal cannot move its cursor", hint="set TERM, or give a prompt")
    chat = Chat(lambda model: _open(options, model), session, LineReader(WORDS))
    chat.fold, chat.wrap = options.hide_thinking, not options.no_wordwrap
    chat.verbose = options.verbose
    try:
        with options.interrupts.tolerated():
            chat.loop(run_command)
    finally:
        chat.close()
    return 0
