"""Loads a worker once, then forks a process with hard limits for every job. Run as a script.

The control socket (its number is the first argument) brings two sockets per job. The job's own one
carries the request and, from the forked process, the answer. The other one stays here: it gets the
exit status as four bytes when the process has ended and was reaped. If nobody holds its far end any
more, the job is no longer wanted and its process is killed. When the control socket closes, all
jobs are killed: nothing outlives the process that started this one.

A worker is a Python file with ``load()``, called once before anything untrusted is there, and
``answer(request: dict) -> dict``, called in the forked process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

#: Exit status: the worker ran out of memory, it failed otherwise, there is no process at all.
OUT_OF_MEMORY, FAILED, NOT_STARTED = 3, 4, 1 << 16
_MAX_FILES = 256

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class ForkServer:
    """Forks and watches.

    Parameters
    ----------
    control : socket
    answer : callable
        Of the worker.
    limits : dict
        ``cpu_seconds``, ``memory_bytes`` (beyond what the process has at its start),
        ``wall_seconds``.
    """

    def __init__(self, control: socket.socket, answer: Answer, limits: dict[str, float]) -> None:
        self._control, self._answer, self._limits = control, answer, limits
        self._pids: dict[int, int] = {}  # status socket -> process
        self._poll = select.poll()

    def run(self) -> None:
        """Serve until the control socket is closed."""
        ended, wake = os.pipe()
        os.set_blocking(ended, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(ended, select.POLLIN)
        while True:
            for fd, _ in self._poll.poll():
                if fd == self._control.fileno():
                    if not self._accept():
                        return
                elif fd == ended:
                    with contextlib.suppress(BlockingIOError):
                        os.read(ended, 4096)
                    self._reap()
                elif fd in self._pids:
                    self._poll.unregister(fd)  # it would be reported again and again
                    os.kill(self._pids[fd], signal.SIGKILL)

    def close(self) -> None:
        """Kill what still runs."""
        for pid in self._pids.values():
            os.kill(pid, signal.SIGKILL)

    def _accept(self) -> bool:
        byte, fds, _, _ = socket.recv_fds(self._control, 1, 2)
        if not byte:
            return False
        if len(fds) != 2:  # no descriptors left, for example
            for fd in fds:
                os.close(fd)
            return True
        job, status = fds
        try:
            pid = os.fork()
        except OSError:
            os.close(job)
            _report(status, NOT_STARTED)
            return True
        if pid == 0:
            _work(job, self._answer, self._limits)
        os.close(job)
        self._pids[status] = pid
        self._poll.register(status, 0)
        return True

    def _reap(self) -> None:
        while self._pids:
            pid, how = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            status = next(fd for fd, known in self._pids.items() if known == pid)
            del self._pids[status]
            with contextlib.suppress(KeyError):
                self._poll.unregister(status)
            _report(status, os.waitstatus_to_exitcode(how))


def _report(status: int, code: int) -> None:
    with contextlib.suppress(OSError):
        os.write(status, struct.pack("=i", code))
    os.close(status)


def _work(job: int, answer: Answer, limits: dict[str, float]) -> NoReturn:
    """Do one job and end; in the forked process."""
    code = FAILED
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(job, 0)
        os.dup2(job, 1)
        os.closerange(3, _MAX_FILES)
        _limit(limits)
        request = bytearray()
        while chunk := os.read(0, 1 << 16):
            request += chunk
        left = json.dumps(answer(json.loads(request))).encode("ascii")
        while left:
            left = left[os.write(1, left) :]
        code = 0
    except MemoryError:
        code = OUT_OF_MEMORY
    finally:
        os._exit(code)  # whatever was raised: no traceback, no handler of the fork server


def _limit(limits: dict[str, float]) -> None:
    cpu = int(limits["cpu_seconds"])
    memory = _virtual_bytes() + int(limits["memory_bytes"])
    for kind, soft, hard in (
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NPROC, 0, 0),
        (resource.RLIMIT_NOFILE, 3, 3),  # the standard streams; nothing else can be opened
    ):
        resource.setrlimit(kind, (soft, hard))
    # The pool watches the clock; this is for a fork whose fork server was killed.
    signal.alarm(int(limits["wall_seconds"]) + 2)


def _virtual_bytes() -> int:
    """Address space in use: an emulator or a sanitizer may have taken far more than Python."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()


def _worker(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("sandbox_worker", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Serve jobs on the socket, with the worker, the limits and the folders of the arguments."""
    fd, path, limits, *folders = sys.argv[1:]
    sys.path.extend(folders)
    worker = _worker(path)
    worker.load()
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_FILES, _MAX_FILES))
    gc.collect()
    gc.freeze()  # a collection in a fork would touch, and so copy, every page
    server = ForkServer(socket.socket(fileno=int(fd)), worker.answer, json.loads(limits))
    try:
        server.run()
    finally:
        server.close()


if __name__ == "__main__":
    main()
