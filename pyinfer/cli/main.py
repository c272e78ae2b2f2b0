"""Entry of the ``pyinfer`` command. Imports next to nothing, so that Ctrl-C is safe at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None, command: str | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name. None means that this is the process's main program:
        its own arguments are taken, and an interrupt ends it without waiting for threads.
    command : str, optional
        Run this subcommand; ``argv`` does not name one then.
    """
    if argv is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # While modules are loaded an interrupt just ends the process, without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if argv is None:
        _reserve_streams()
    from pyinfer.cli.commands import execute

    arguments = sys.argv[1:] if argv is None else list(argv)
    return execute(arguments, command, is_process=argv is None)


def _reserve_streams() -> None:
    """Let no file take the number of a standard stream that was closed by whoever started us."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number


def run(command: str | None = None) -> None:
    """Run as the process's main program."""
    sys.exit(main(command=command))


def llama_server() -> None:
    """Run ``pyinfer llama-server`` as the process's main program."""
    run("llama-server")
