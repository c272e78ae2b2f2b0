"""From an exception to one line on standard error and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from pyinfer.errors import InsufficientMemoryError, PyinferError, one_line

EXIT_BUG = 1
EXIT_INTERRUPT = 130
EXIT_CLOSED_PIPE = 141
EXIT_TERMINATED = 143

REPORT_HINT = "this is a bug in pyinfer; please report it (PYINFER_LOG=debug shows the details)"


class OutputClosedError(Exception):
    """Standard output is gone: its reader has stopped, or it was never open."""


class OutputError(PyinferError):
    """Standard output cannot be written; what was meant for it is lost."""


class TerminatedError(BaseException):
    """The process got SIGTERM. Not an Exception: nothing on the way may swallow it."""


def exit_status(command: Callable[[], int]) -> int:
    """Run ``command`` and return its exit status; failures are reported in one line.

    Statuses: those of :mod:`pyinfer.errors`, 130 after an interrupt, 141 (silent) when standard
    output was closed, 143 after SIGTERM, 1 for a bug. A traceback appears only with
    ``PYINFER_LOG=debug``.
    """
    try:
        return command()
    except PyinferError as error:
        _trace()
        if isinstance(error, OutputError):
            silence_stdout()
        if error.exit_code != EXIT_INTERRUPT:
            complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPT
    except TerminatedError:
        return EXIT_TERMINATED
    except (BrokenPipeError, OutputClosedError):
        silence_stdout()
        return EXIT_CLOSED_PIPE
    except MemoryError:
        _trace()
        complain("out of memory. A smaller --ctx-size or a smaller --dtype needs less")
        return InsufficientMemoryError.exit_code
    except Exception as error:
        _trace()
        complain(f"{type(error).__name__}: {error}. {REPORT_HINT}")
        return EXIT_BUG


def complain(message: str) -> None:
    """Write one line to standard error, if there is one."""
    note(f"pyinfer: error: {one_line(message)}")


def note(line: str) -> None:
    """Write ``line`` to standard error, if there is one."""
    try:
        if sys.stderr is not None:
            print(line, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass  # nobody is left to tell


def silence_stdout() -> None:
    """Point standard output nowhere, so that the interpreter's last flush does not fail."""
    if sys.stdout is None:
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass


def _trace() -> None:
    if os.environ.get("PYINFER_LOG") == "debug":
        import traceback

        note(traceback.format_exc().rstrip())
