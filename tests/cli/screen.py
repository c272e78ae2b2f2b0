"""A terminal of 80 x 24 with a program in it, for looking at what a person would see."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence

import pyte

PATIENCE = 60.0


class Screen:
    """Runs a command on a pseudo-terminal; a context manager.

    Attributes
    ----------
    sent : bytes
        Everything that the program wrote.
    """

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], columns: int = 80, lines: int = 24
    ) -> None:
        self._screen = pyte.HistoryScreen(columns, lines, history=5_000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.sent = b""
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=dict(env),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the program has closed it
            return False
        self.sent += data
        self._stream.feed(data)
        return bool(data)

    @property
    def lines(self) -> list[str]:
        """What is on the screen now, blank lines at the end left out."""
        lines = [line.rstrip() for line in self._screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def everything(self) -> list[str]:
        """The screen and what has scrolled away."""
        columns = self._screen.columns
        gone = [
            "".join(row[x].data for x in range(columns)).rstrip()
            for row in self._screen.history.top
        ]
        return gone + self.lines

    def is_dim(self, text: str) -> bool:
        """Whether the program wrote ``text`` dimmed."""
        return f"\x1b[2m{text}".encode() in self.sent

    def until(self, seen: Callable[[], bool]) -> None:
        """Read until something is true."""
        end = time.monotonic() + PATIENCE
        while not seen():
            if time.monotonic() > end or (self.process.poll() is not None and not self._read(0)):
                raise AssertionError("\n".join(["not seen on:", *self.lines]))
            self._read(0.05)

    def until_prompt(self) -> None:
        """Read until the program asks for the next line."""
        self.until(lambda: bool(self.lines) and self.lines[-1] == ">>>")

    def ask(self, line: str) -> list[str]:
        """Type a line and read until the next prompt; return what came in between."""
        before = len(self.everything)
        prompts = self._prompts()
        self.type(line + "\n")
        self.until(lambda: self._prompts() > prompts and self.lines[-1] == ">>>")
        return self.everything[before:-1]

    def _prompts(self) -> int:
        return sum(line.startswith(">>>") for line in self.everything)

    def wait(self) -> int:
        """Read to the end and return the exit status."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            self._read(0.05)
        while self._read(0.05):
            pass
        return self.process.wait(1)
