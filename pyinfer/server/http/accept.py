"""Takes connections from the listening socket, as many as there are file descriptors for.

The event loop's own way tries again at once when no descriptor is left, a thousand times a turn
and with a traceback each. Here a failure is one line of log and a pause; and connections are left
to the system's queue before it comes to that.
"""

from __future__ import annotations

import asyncio
import logging
import math
import resource
import socket
import time
from collections.abc import Callable

from pyinfer.errors import PyinferError

MAX_CONNECTIONS = 1024
#: Connections beyond the limit that are taken to be told so.
REFUSED_AT_ONCE = 32
#: Descriptors for models, files and what else is not a connection.
RESERVED = 256
#: Seconds until the next try after a failure, and between two lines of log about failures.
PAUSE_SECONDS = 0.25
LOG_SECONDS = 10.0
_BATCH = 64
_MOST_DESCRIPTORS = 1 << 20

_LOG = logging.getLogger("pyinfer.server")


def raise_descriptor_limit() -> int:
    """Let this process open as many files as it may; how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            return soft
        return wanted
    return _MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def connections_for(descriptors: int) -> int:
    """How many connections so many descriptors allow.

    Examples
    --------
    >>> connections_for(1 << 20), connections_for(1024), connections_for(64)
    (1024, 736, 8)
    """
    left = descriptors - min(RESERVED, descriptors // 2) - REFUSED_AT_ONCE
    return max(min(MAX_CONNECTIONS, left), descriptors // 8, 1)


class Occasional:
    """One line of log now and then about something that may happen a thousand times a second.

    Parameters
    ----------
    event : str
    """

    def __init__(self, event: str) -> None:
        self._event = event
        self._count = 0
        self._logged = -math.inf

    def log(self, error: Exception) -> None:
        """Count; log the count unless that was done a moment ago."""
        self._count += 1
        now = time.monotonic()
        if now - self._logged >= LOG_SECONDS:
            reason = error.message if isinstance(error, PyinferError) else None
            reason = reason or getattr(error, "strerror", None) or type(error).__name__
            facts = {"reason": reason, "times": self._count}
            _LOG.warning(self._event, extra={"facts": facts})
            self._logged, self._count = now, 0


class Acceptor:
    """Accepts connections on one socket until it is closed; stands in for asyncio's server.

    Parameters
    ----------
    listener : socket.socket
        Not blocking; not closed here.
    protocol : callable
        Makes the protocol of a connection.
    has_room : callable
        Whether one more connection may be taken; given those that are on their way.
    """

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        has_room: Callable[[int], bool],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener, self._protocol, self._has_room = listener, protocol, has_room
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._failures = Occasional("cannot accept connections")
        self._closed = False
        self._listen()

    def close(self) -> None:
        """Take no more connections."""
        self._closed = True
        self._loop.remove_reader(self._listener.fileno())
        if self._timer is not None:
            self._timer.cancel()

    async def wait_closed(self) -> None:
        """Wait for those that are on their way."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _listen(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener.fileno(), self._accept)

    def _pause(self) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._timer = self._loop.call_later(PAUSE_SECONDS, self._listen)

    def _accept(self) -> None:
        for _ in range(_BATCH):
            if not self._has_room(len(self._tasks)):
                self._pause()
                return
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._failures.log(error)
                self._pause()
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._connect(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except Exception as error:
            connection.close()
            self._failures.log(error)
