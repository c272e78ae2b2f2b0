"""The way into a sandbox: hand a request to a process with hard limits and wait for its answer.

Whoever stops waiting (an exception, Ctrl-C, a cancelled task) ends the job's process at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path

from pyinfer.errors import EngineError, QueueFullError
from pyinfer.text.sandbox.fork_server import NOT_STARTED, OUT_OF_MEMORY
from pyinfer.text.sandbox.places import Places

#: Longest time in front of the places.
QUEUE_SECONDS = 60.0
#: A job that is this much over its time shows that the sandbox itself does not work.
_STUCK_SECONDS = 10.0
_CHUNK = 1 << 16
_FORK_SERVER = Path(__file__).with_name("fork_server.py")
_OUT_OF_TIME = {-signal.SIGXCPU, -signal.SIGALRM}
_OUT_OF_MEMORY = {OUT_OF_MEMORY, -signal.SIGABRT, -signal.SIGKILL}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use.

    Attributes
    ----------
    cpu_seconds : int
    memory_bytes : int
        Address space beyond what the process has before it reads the request.
    wall_seconds : float
        From the fork to the answer; longer than ``cpu_seconds``, because the machine may be busy.
    """

    cpu_seconds: int
    memory_bytes: int
    wall_seconds: float


class LimitError(Exception):
    """A job broke a limit, or the code in it crashed; the message says which.

    Attributes
    ----------
    lasting : bool
        The same job would break it again. Not so for the wall clock: the machine may be busy.
    """

    def __init__(self, message: str, *, lasting: bool = True) -> None:
        super().__init__(message)
        self.lasting = lasting


class SandboxPool:
    """Runs jobs of one worker. May be used from any thread and event loop, and after a fork.

    Parameters
    ----------
    worker : Path
        Script with ``load()`` and ``answer(request)``; see :mod:`pyinfer.text.sandbox.fork_server`.
    packages : sequence of str
        What the worker imports beyond the standard library.
    limits : Limits
    places, queue : int
        Jobs that run at once, and that wait.
    """

    def __init__(
        self, worker: Path, packages: Sequence[str], limits: Limits, places: int, queue: int
    ) -> None:
        self.limits = limits
        self._worker, self._packages = worker, packages
        self._places_queue = places, queue
        self._forget()

    def _forget(self) -> None:
        """Begin anew; the fork server of a parent process is not ours."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._places = Places(*self._places_queue)
        self._server: _ForkServer | None = None
        self._started: dict[_Job, float] = {}

    @property
    def ready(self) -> bool:
        """Whether a job would be taken now, and none has run longer than any may."""
        oldest = min(list(self._started.values()), default=float("inf"))
        stuck = time.monotonic() - oldest > self.limits.wall_seconds + _STUCK_SECONDS
        return not stuck and not self._places.full

    @property
    def running(self) -> int:
        """Jobs that have a process."""
        return len(self._started)

    def run(self, request: bytes, most: int) -> bytes:
        """The worker's answer to one request, as JSON text; waits for it.

        Parameters
        ----------
        request : bytes
            A JSON object.
        most : int
            Longest answer in bytes.

        Raises
        ------
        LimitError
            The job broke a limit or crashed.
        QueueFullError
            Too many wait, or no place became free in time.
        EngineError
            The processes cannot be started.
        """
        if self._pid != os.getpid():
            self._forget()
        ticket = self._places.ask()
        try:
            try:
                ticket.result(QUEUE_SECONDS)
            except TimeoutError:
                raise _waited() from None
            with self._job() as job:
                return job.exchange(request, most, self.limits.wall_seconds)
        finally:
            self._places.leave(ticket)

    async def arun(self, request: bytes, most: int) -> bytes:
        """As :meth:`run`, for asyncio; cancelling the task kills the job."""
        if self._pid != os.getpid():
            self._forget()
        ticket = self._places.ask()
        try:
            await _turn(ticket)
            if self._server is None or not self._server.alive:
                await asyncio.to_thread(self._serve)
            with self._job() as job:
                return await job.aexchange(request, most, self.limits.wall_seconds)
        finally:
            self._places.leave(ticket)

    @contextlib.contextmanager
    def _job(self) -> Iterator[_Job]:
        job = self._serve().start()
        self._started[job] = time.monotonic()
        try:
            yield job
        finally:
            del self._started[job]
            job.close()

    def _serve(self) -> _ForkServer:
        with self._lock:
            if self._server is None or not self._server.alive:
                self._server = _ForkServer(self._worker, self._packages, self.limits)
            return self._server


async def _turn(ticket: Future[None]) -> None:
    try:
        async with asyncio.timeout(QUEUE_SECONDS):
            await asyncio.wrap_future(ticket)
    except TimeoutError:
        raise _waited() from None


def _waited() -> QueueFullError:
    return QueueFullError(
        f"no place to check grammars or templates became free within {QUEUE_SECONDS:g} s",
        hint="try again later",
    )


class _ForkServer:
    """The process of :mod:`pyinfer.text.sandbox.fork_server` and the socket that keeps it alive."""

    def __init__(self, worker: Path, packages: Sequence[str], limits: Limits) -> None:
        # The process ignores PYTHONPATH, so it is told where its packages are.
        specs = [importlib.util.find_spec(name) for name in packages]
        folders = {str(Path(spec.origin).parent.parent) for spec in specs if spec and spec.origin}
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-I", "-B", str(_FORK_SERVER), str(theirs.fileno())]
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [*command, str(worker), json.dumps(asdict(limits)), *sorted(folders)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env={"LC_ALL": "C.UTF-8"},
                    cwd="/",
                    start_new_session=True,  # Ctrl-C is for this process, which then ends that one
                )
        except OSError as error:
            ours.close()
            raise EngineError(f"cannot start a process with limits: {error.strerror}") from None
        self._control = ours
        weakref.finalize(self, _stop, ours, self._process)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def start(self) -> _Job:
        """Have a process forked for a job."""
        job, job_end = socket.socketpair()
        status, status_end = socket.socketpair()
        with job_end, status_end:
            try:
                socket.send_fds(self._control, [b"j"], [job_end.fileno(), status_end.fileno()])
            except OSError:
                job.close()
                status.close()
                raise _gone() from None
        return _Job(job, status)


def _stop(control: socket.socket, process: subprocess.Popen[bytes]) -> None:
    control.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
        return
    process.kill()
    process.wait()


def _gone() -> EngineError:
    return EngineError("the process that checks grammars and templates has ended", hint="try again")


class _Job:
    """One request on its way: ``job`` carries it and its answer, ``status`` how it ended."""

    def __init__(self, job: socket.socket, status: socket.socket) -> None:
        self._job, self._status = job, status

    def close(self) -> None:
        """Give up what is still open; the fork server then kills the process if it lives."""
        self._job.close()
        self._status.close()

    def exchange(self, request: bytes, most: int, seconds: float) -> bytes:
        """Send the request and return the answer."""
        end = time.monotonic() + seconds

        def receive(source: socket.socket) -> bytes:
            source.settimeout(max(0.001, end - time.monotonic()))
            return source.recv(_CHUNK)

        answer = bytearray()
        try:
            with contextlib.suppress(ConnectionError):  # it ended early; the status says why
                self._job.settimeout(seconds)
                self._job.sendall(request)
                self._job.shutdown(socket.SHUT_WR)
                while chunk := receive(self._job):
                    _extend(answer, chunk, most)
            return _checked(answer, receive(self._status))
        except TimeoutError:
            raise _slow(seconds) from None

    async def aexchange(self, request: bytes, most: int, seconds: float) -> bytes:
        """As :meth:`exchange`, for asyncio."""
        loop = asyncio.get_running_loop()
        self._job.setblocking(False)
        self._status.setblocking(False)
        answer = bytearray()
        try:
            async with asyncio.timeout(seconds):
                with contextlib.suppress(ConnectionError):
                    await loop.sock_sendall(self._job, request)
                    self._job.shutdown(socket.SHUT_WR)
                    while chunk := await loop.sock_recv(self._job, _CHUNK):
                        _extend(answer, chunk, most)
                return _checked(answer, await loop.sock_recv(self._status, _CHUNK))
        except TimeoutError:
            raise _slow(seconds) from None


def _extend(answer: bytearray, chunk: bytes, most: int) -> None:
    answer += chunk
    if len(answer) > most:
        raise LimitError(f"its result is longer than {most:,} bytes")


def _checked(answer: bytearray, status: bytes) -> bytes:
    """The answer of a process that ended well."""
    if len(status) != 4:
        raise _gone()
    (code,) = struct.unpack("=i", status)
    if code == 0:
        return bytes(answer)
    if code == NOT_STARTED:
        raise EngineError("cannot fork a process with limits", hint="try again later")
    if code in _OUT_OF_TIME:
        raise LimitError("it broke its limit of time")
    if code in _OUT_OF_MEMORY:
        raise LimitError("it broke its limit of memory")
    raise LimitError("the code that works on it crashed")


def _slow(seconds: float) -> LimitError:
    return LimitError(f"it ran longer than {seconds:g} s", lasting=False)
