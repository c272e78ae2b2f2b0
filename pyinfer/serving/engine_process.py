"""The server's end of an engine process: start it, send requests, hand out events, notice its end.

Three threads serve each process: one writes (a stopped process must not block the event loop), one
starts the process, reads, and passes what it read to the event loop in batches, one logs what it
writes to its standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from pyinfer.engine.messages import Cancel, End, Event, Failed, Pause, Request
from pyinfer.errors import EngineError, EngineLostError, PyinferError
from pyinfer.serving.engine_messages import LoadFailed, Loading, LoadOrder, Ready, Snapshot
from pyinfer.serving.state import EngineStats

log = logging.getLogger("pyinfer.server")

#: A process that says nothing for so long, or whose step lasts so long, is stuck.
SILENCE_SECONDS = 10.0
#: After so many looks without a sign of life, or in the same step, the process is ended and those
#: who wait for it are told. Looks are counted, not seconds: a machine that was asleep is no reason.
WATCH_SECONDS = 1.0
SILENT_LOOKS = 60
STUCK_LOOKS = 600
_CLOSE_SECONDS = 10.0
_LAST_WORDS_SECONDS = 1.0
_MAX_LINE = 4096

Listener = Callable[[Event], None]

# The program: the folders of this process, so that the same package is found, then the child.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[3:]; "
    "from pyinfer.serving.engine_child import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)


class EngineProcess:
    """One engine process. Used from one event loop; every callback runs there.

    Parameters
    ----------
    order : LoadOrder
    on_exit : callable, optional
        Called once with the error when the process ended without being asked.
    on_progress : callable, optional
        Called with (done, total) bytes while the model loads.
    on_steps : callable, optional
        Called with the token counts of the latest steps.
    """

    def __init__(
        self,
        order: LoadOrder,
        *,
        on_exit: Callable[[PyinferError], None] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
        on_steps: Callable[[list[int]], None] | None = None,
    ) -> None:
        self.stats = EngineStats()
        self.memory = 0
        self.pid = 0
        self.ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._order = order
        self._on_exit = on_exit
        self._on_progress = on_progress
        self._on_steps = on_steps
        self._listeners: dict[int, Listener] = {}
        self._last_id = 0
        self._heard = time.monotonic()
        self._step_seconds = 0.0
        self._silent_looks = self._stuck_looks = 0
        self._closing = False
        self._process: subprocess.Popen[bytes] | None = None
        self._outbox: SimpleQueue[Any] = SimpleQueue()
        self._inbox: list[Any] = []
        self._inbox_lock = threading.Lock()
        threading.Thread(target=self._run, name="pyinfer-engine-reader", daemon=True).start()
        self._loop.call_later(WATCH_SECONDS, self._watch)

    @property
    def alive(self) -> bool:
        """Whether requests may be submitted."""
        return self.ready.done() and not self._closing and not self.ended.is_set()

    @property
    def responsive(self) -> bool:
        """Whether the process has given a sign of progress lately."""
        silent = time.monotonic() - self._heard
        return not self.ended.is_set() and max(silent, self._step_seconds) < SILENCE_SECONDS

    @property
    def open_requests(self) -> int:
        """Requests that have not ended."""
        return len(self._listeners)

    def new_id(self) -> int:
        """A request id that no other request of this process has."""
        self._last_id += 1
        return self._last_id

    def submit(self, request: Request, listener: Listener) -> None:
        """Hand over a checked request; ``listener`` gets each of its events, in order.

        Raises
        ------
        EngineError
            The process has ended or is about to.
        """
        if not self.alive:
            raise EngineError("the model was unloaded", hint="send the request again")
        self._listeners[request.request_id] = listener
        self._outbox.put(request)

    def cancel(self, request_id: int) -> None:
        """End a request soon; harmless if it has ended."""
        if request_id in self._listeners:
            self._outbox.put(Cancel(request_id))

    def pause(self, request_id: int, on: bool) -> None:
        """Generate nothing for a request until told to go on; harmless if it has ended."""
        if request_id in self._listeners:
            self._outbox.put(Pause(request_id, on))

    async def close(self) -> None:
        """End the process and wait for it. May be repeated."""
        self._closing = True
        self._outbox.put(None)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), _CLOSE_SECONDS)
        self.kill()
        await self.ended.wait()

    def _watch(self) -> None:
        """End a process that does not answer any more, so that nobody waits for ever."""
        if self.ended.is_set():
            return
        self._silent_looks += 1
        self._stuck_looks = self._stuck_looks + 1 if self._step_seconds > SILENCE_SECONDS else 0
        # A process that starts says nothing until it has imported what it needs.
        patience = SILENT_LOOKS if self.ready.done() else STUCK_LOOKS
        if self._silent_looks > patience or self._stuck_looks > STUCK_LOOKS:
            log.error("the engine process %d does not respond and is ended", self.pid)
            self.kill()
        self._loop.call_later(WATCH_SECONDS, self._watch)

    def kill(self) -> None:
        """End the process at once."""
        process = self._process
        if process is not None and not self.ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def _run(self) -> None:
        """Start the process, read what it says, and see it end, whatever goes wrong here."""
        try:
            error = self._converse()
        except Exception as failure:
            log.exception("the connection to an engine process failed")
            error = EngineLostError(f"the engine process was lost: {type(failure).__name__}")
        process = self._process
        if process is not None:
            process.kill()
            process.wait()
        self._pass(error)

    def _converse(self) -> PyinferError:
        try:
            connection, process = _start()
        except OSError as error:
            return EngineError(f"cannot start an engine process: {error.strerror}")
        self._process = process
        self.pid = process.pid
        relay = threading.Thread(
            target=_relay, args=(process,), name="pyinfer-engine-log", daemon=True
        )
        relay.start()
        with connection:
            writer = threading.Thread(
                target=self._write, args=(connection,), name="pyinfer-engine-writer", daemon=True
            )
            writer.start()
            with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
                while True:
                    self._pass(connection.recv())
            self._outbox.put(StopIteration)
            # What closed its end without ending would hold memory for nothing.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_CLOSE_SECONDS)
            process.kill()
            end = how_it_ended(process.wait())
            writer.join(_CLOSE_SECONDS)
        relay.join(_LAST_WORDS_SECONDS)
        return EngineLostError(f"the engine process ended: {end}", hint="send the request again")

    def _write(self, connection: Connection) -> None:
        try:
            connection.send(self._order)
            while (message := self._outbox.get()) is not StopIteration:
                connection.send(message)
        except OSError:
            pass  # it has ended, as the reader sees
        except Exception:
            log.exception("a message to an engine process could not be sent")
            self.kill()  # or everything behind the message would wait for ever

    def _pass(self, message: Any) -> None:
        """Put a message into the batch that the event loop is about to take."""
        with self._inbox_lock:
            self._inbox.append(message)
            if len(self._inbox) > 1:
                return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        with self._inbox_lock:
            messages, self._inbox = self._inbox, []
        self._heard = time.monotonic()
        self._silent_looks = 0
        for message in messages:
            for part in message if isinstance(message, list) else (message,):
                try:
                    if isinstance(part, Event):
                        self._deliver(part)
                    else:
                        self._note(part)
                except Exception:
                    # Others' events are in the same batch.
                    log.exception("what an engine process said could not be handed on")

    def _note(self, message: Any) -> None:
        if isinstance(message, Snapshot):
            self.stats = message.stats
            self.memory = message.memory
            self._step_seconds = message.step_seconds
            if message.step_tokens and self._on_steps is not None:
                self._on_steps(message.step_tokens)
        elif isinstance(message, Loading):
            if self._on_progress is not None:
                self._on_progress(message.done, message.total)
        elif isinstance(message, Ready):
            if not self.ready.done():
                self.ready.set_result(message)
        elif isinstance(message, LoadFailed):
            self._fail(message.error)
        else:
            self._end(message)

    def _fail(self, error: PyinferError) -> None:
        """The model cannot be loaded; who waits for it is told."""
        if not self.ready.done():
            self.ready.set_exception(error)
            self.ready.exception()  # nobody need be waiting

    def _end(self, error: PyinferError) -> None:
        self.ended.set()
        served = self.ready.done() and not self.ready.cancelled() and not self.ready.exception()
        self._fail(error)
        try:
            if served and self._on_exit is not None and not self._closing:
                self._on_exit(error)
        finally:
            for request_id in list(self._listeners):
                self._deliver(Failed(request_id, error))

    def _deliver(self, event: Event) -> None:
        listener = self._listeners.get(event.request_id)
        if listener is None:
            return
        if isinstance(event, End | Failed):
            del self._listeners[event.request_id]
        try:
            listener(event)
        except Exception:
            log.exception("an answer could not take what the engine said")
            self.cancel(event.request_id)
            self._listeners.pop(event.request_id, None)
            with contextlib.suppress(Exception):
                listener(Failed(event.request_id, EngineError("the answer was lost")))


def _start() -> tuple[Connection, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), str(os.getpid()), *sys.path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return Connection(ours.detach()), process


def _relay(process: subprocess.Popen[bytes]) -> None:
    """Log what a process writes, until it ends: it must never wait for a reader of our log."""
    assert process.stdout is not None
    with contextlib.suppress(OSError), process.stdout as lines:
        while line := lines.readline(_MAX_LINE):
            if text := line.decode("utf-8", "replace").rstrip():
                log.warning("an engine process says: %s", text)


def how_it_ended(status: int) -> str:
    """The end of a process in words.

    Examples
    --------
    >>> how_it_ended(-9), how_it_ended(1)
    ('killed by SIGKILL', 'status 1')
    """
    if status >= 0:
        return f"status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
