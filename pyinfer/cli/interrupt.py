"""Ctrl-C ends the process within half a second, whatever it is doing.

Python runs its own handler between two bytecodes of the main thread, so an interrupt waits while
that thread is inside a long call. Usually it raises KeyboardInterrupt at once, the generation is
cancelled and the process ends in order. If that takes too long, a thread that is told by the
operating system's handler ends the process: nothing here needs to be saved.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

from pyinfer.cli.outcome import EXIT_INTERRUPT
from pyinfer.cli.terminal import is_terminal

#: From the interrupt until the process is ended by force.
GRACE_SECONDS = 0.4

_SHOW_CURSOR = b"\x1b[?25h\x1b[0m"


class Interrupts:
    """What the watching thread and the command have in common."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.handled = threading.Event()

    @contextlib.contextmanager
    def tolerated(self) -> Iterator[None]:
        """While the block runs, the command answers interrupts itself, however long it takes."""
        self.handled.set()
        try:
            yield
        finally:
            self.handled.clear()


@contextlib.contextmanager
def prompt_interrupts() -> Iterator[Interrupts]:
    """Watch for SIGINT while the block runs. Does nothing outside the main thread."""
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    old = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(
        target=_watch, args=(reader, interrupts), name="pyinfer-sigint", daemon=True
    ).start()
    try:
        yield interrupts
    finally:
        interrupts.ended.set()
        signal.set_wakeup_fd(old)
        os.close(writer)  # the thread reads the end of the pipe and closes the other side


def _watch(reader: int, interrupts: Interrupts) -> None:
    while data := os.read(reader, 64):
        if signal.SIGINT not in data or interrupts.handled.is_set():
            continue
        if not interrupts.ended.wait(GRACE_SECONDS):
            leave()
    os.close(reader)


def leave() -> None:
    """End the process now with the status of an interrupt; a terminal is left in order."""
    with contextlib.suppress(OSError, ValueError):
        if is_terminal(sys.stderr):
            os.write(2, _SHOW_CURSOR)
    os._exit(EXIT_INTERRUPT)
