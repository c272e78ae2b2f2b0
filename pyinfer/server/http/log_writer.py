"""Writes log lines on a thread of its own, so that a reader who does not read stops nothing."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import threading
import time
from collections import deque
from datetime import UTC, datetime

#: Bytes of lines that wait; beyond them lines are dropped and counted.
CAPACITY = 4 * 2**20
#: At the end of the process, for lines that wait.
CLOSE_SECONDS = 1.0
_BATCH = 64 * 2**10
_POLL_SECONDS = 1.0


class LogWriter(logging.Handler):
    """A handler that never waits for whoever reads the log.

    Parameters
    ----------
    fd : int
        Where lines go; not closed here.
    capacity : int
        Bytes.

    Attributes
    ----------
    dropped : int
        Lines that could not be kept and are not yet reported.
    """

    def __init__(self, fd: int = 2, capacity: int = CAPACITY) -> None:
        super().__init__()
        self._fd, self._capacity = fd, capacity
        self._lines: deque[bytes] = deque()
        self._waiting = 0
        self.dropped = 0
        self._ending = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="pyinfer-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record; drop it if too many wait."""
        try:
            line = self.format(record).encode("utf-8", "replace") + b"\n"
        except Exception:
            line = _line("a log record could not be formatted", 1)
        with self._changed:
            if self._waiting + len(line) > self._capacity:
                self.dropped += 1
                return
            self._lines.append(line)
            self._waiting += len(line)
            self._changed.notify()

    def finish(self, timeout: float = CLOSE_SECONDS) -> None:
        """Write what waits, for so long at most; lines that come later are lost."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._lines and not self.dropped and not self._ending:
                    self._changed.wait()
                if not self._lines and not self.dropped:
                    return
                batch = bytearray()
                while self._lines and len(batch) < _BATCH:
                    batch += self._lines.popleft()
                self._waiting -= len(batch)
                if self.dropped and not self._lines:
                    batch += _line("log lines were dropped, their reader is too slow", self.dropped)
                    self.dropped = 0
            self._write(batch)

    def _write(self, data: bytearray) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                with contextlib.suppress(OSError, ValueError):
                    select.select([], [self._fd], [], _POLL_SECONDS)
            except OSError:
                return  # nobody will ever read it


def _line(event: str, lines: int) -> bytes:
    moment = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
    facts = {"time": moment.replace("+00:00", "Z"), "level": "warning", "event": event}
    return json.dumps(facts | {"lines": lines}).encode() + b"\n"
