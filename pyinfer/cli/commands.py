"""Chooses the subcommand and turns its end into an exit status."""

from __future__ import annotations

import argparse
import io
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Any

from pyinfer.cli.arguments import Parser
from pyinfer.cli.interrupt import leave, prompt_interrupts
from pyinfer.cli.outcome import EXIT_INTERRUPT, OutputClosedError, TerminatedError, exit_status
from pyinfer.cli.terminal import put
from pyinfer.errors import UsageError

#: Name and help of every subcommand; each is a module of this package with ``DESCRIPTION``,
#: ``add_arguments(parser)`` and ``run(options)``, imported only when it is called.
COMMANDS = {
    "serve": "answer HTTP requests (Ollama, OpenAI, llama-server)",
    "llama-server": "the same with llama-server's options",
    "ps": "list the models that a running server has loaded",
    "stop": "unload a model of a running server",
    "run": "chat in the terminal",
    "generate": "answer one prompt",
    "bench": "measure prompt and decode speed",
    "convert": "folder to GGUF file, and back",
    "quantize": "GGUF file in other formats",
    "perplexity": "how well a model predicts a text",
    "imatrix": "measure which inputs of the matrices matter",
    "verify": "replay the published answers of a model",
    "tokenize": "show the tokens of a text",
    "pull": "bring a model of the hub into the store",
    "list": "list the models on this machine",
    "show": "show what a model is",
    "create": "make a model from a Modelfile",
    "cp": "give a model of the store a second name",
    "rm": "remove models from the store",
    "cache": "list or remove packed weights",
    "doctor": "examine the machine, and which models fit",
    "completion": "script that completes commands and models in the shell",
}


def execute(arguments: Sequence[str], command: str | None, is_process: bool) -> int:
    """Run one command line and return its exit status; see :func:`pyinfer.cli.main.main`."""

    def run() -> int:
        _stop_on_sigterm()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # for terminals that are not UTF-8
        try:
            options = _parse(arguments, command)
            if sys.stdout is None and getattr(options, "prints", True):
                raise OutputClosedError
            options.interrupts = interrupts
            status: int = options.run(options)
        except SystemExit as end:  # argparse has printed its help
            status = int(end.code or 0)
        if sys.stdout is not None:
            put(sys.stdout, "")
        return status

    with prompt_interrupts() as interrupts:
        status = exit_status(run)
        if status == EXIT_INTERRUPT and is_process:
            leave()  # an orderly shutdown would wait for threads that still load
    return status


def _parse(arguments: Sequence[str], command: str | None) -> argparse.Namespace:
    if command is not None:
        module = _module(command)
        program = getattr(module, "PROGRAM", f"python -m pyinfer.{command}")
        parser = Parser(prog=program, description=module.DESCRIPTION)
        module.add_arguments(parser)
        return parser.parse_args(arguments)
    wanted = next((word for word in arguments if not word.startswith("-")), "")
    options, unknown = build_parser(wanted).parse_known_args(arguments)
    if unknown:
        words = " ".join(["pyinfer", *([wanted] if wanted in COMMANDS else []), "--help"])
        raise UsageError(f"unrecognized arguments: {' '.join(unknown)}", hint=f"See {words}")
    if options.version:
        options.run = _version
    elif not hasattr(options, "run"):
        raise UsageError("no command given", hint="See pyinfer --help")
    return options


def build_parser(wanted: str) -> Parser:
    """The parser of the program; only the command ``wanted`` gets its options."""
    parser = Parser(
        prog="pyinfer", description="The DeepSeek-R1 distills on a CPU, on hand-written kernels."
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument(
        "-v", dest="details", action="store_true", help="with --version: kernels, threads, memory"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, text in COMMANDS.items():
        if name == wanted:
            module = _module(name)
            module.add_arguments(
                commands.add_parser(name, help=text, description=module.DESCRIPTION)
            )
        else:
            commands.add_parser(name, help=text)
    return parser


def _module(command: str) -> Any:
    return import_module(f"pyinfer.cli.{command.replace('-', '_')}")


def _version(options: argparse.Namespace) -> int:
    from pyinfer import __version__

    print(f"pyinfer {__version__}")
    if options.details:
        from pyinfer.diagnose.build import build_facts

        for name, value in build_facts().items():
            print(f"{name + ':':<12} {value}")
    return 0


def _stop_on_sigterm() -> None:
    """Let SIGTERM unwind the stack, so that the terminal and the model are left in order."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TerminatedError

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)
