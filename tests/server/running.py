"""A ``pyinfer serve`` process for tests."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: A machine that is busy with other work may pause the process for minutes.
START_SECONDS = 300


@dataclass(slots=True)
class RunningServer:
    """A server that listens.

    Attributes
    ----------
    url : str
        Like ``http://127.0.0.1:40123``.
    process : subprocess.Popen
    log : Path
        What it writes to standard error.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rsplit(":", 1)[1])

    def lines(self) -> list[str]:
        """Everything that it has written to standard error so far."""
        return self.log.read_text(encoding="utf-8").splitlines()


@contextlib.contextmanager
def running_server(
    *arguments: str, command: str = "serve", environment: dict[str, str] | None = None
) -> Iterator[RunningServer]:
    """Start ``pyinfer serve`` (or another command) on a free port; end it after the block."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "stderr")
        words = [sys.executable, "-m", "pyinfer", command, "--port", "0", *arguments]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stderr=stream,
                env=os.environ | (environment or {}),
                preexec_fn=_default_interrupt,
            )
        try:
            yield RunningServer(_url(process, log), process, log)
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> int:
    """Ask twice to end at once, then insist."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
    return process.wait()


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        text = log.read_text(encoding="utf-8")
        if found := re.search(r"listening on (http://\S+)", text):
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(f"the server did not start, status {process.poll()}:\n{text}")


def _default_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
