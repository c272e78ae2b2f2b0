"""Workers for tests of the sandbox: harmless stand-ins for code that does its worst."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from pyinfer.text.sandbox.pool import Limits, SandboxPool

#: A busy machine may pause a process for minutes; a test that hangs ends all the same.
PATIENCE = 120.0
WORKER = """
import ctypes, os, signal, sys, time

seen = []

def load():
    seen.append("load")

def attempt(call):
    try:
        return repr(call())
    except BaseException as error:
        return type(error).__name__

def answer(request):
    what = request["kind"] if "kind" in request else request["do"]
    what = request.get("source", "") if what == "regex" else what
    what = globals().get("ALWAYS", what)
    seen.append(what)
    if what == "sleep":
        time.sleep(3600)
    elif what == "spin":
        while True:
            pass
    elif what == "allocate":
        held = []
        while True:
            held.append(bytearray(1 << 20))
    elif what == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == "abort":
        os.abort()
    elif what == "raise":
        raise SystemError("thread panicked at /root/secret.rs:12")
    elif what == "print":
        print("thread panicked at /root/secret.rs:12", file=sys.stderr, flush=True)
    elif what == "long":
        return {"text": "a" * request["length"]}
    elif what == "escape":
        return {"tries": [
            attempt(lambda: open("/etc/passwd")),
            attempt(lambda: open("/tmp/x", "w")),
            attempt(lambda: __import__("socket").socket()),
            os.environ.get("HOME"),
        ]}
    return {"seen": seen, "pid": os.getpid()}
"""


def pool(
    folder: Path,
    *,
    cpu: int = 1,
    memory: int = 64 << 20,
    wall: float = PATIENCE,
    places: int = 2,
    queue: int = 8,
    always: str = "",
) -> SandboxPool:
    """A sandbox around the stand-ins; ``always`` is what it does whatever it is asked."""
    script = folder / "worker.py"
    script.write_text(WORKER + (f"ALWAYS = {always!r}\n" if always else ""))
    return SandboxPool(script, (), Limits(cpu, memory, wall), places, queue)


def server_pid(sandbox: SandboxPool) -> int:
    """Process of the fork server."""
    assert sandbox._server is not None
    return sandbox._server._process.pid


def jobs_of(pid: int) -> list[int]:
    """Processes that a fork server has forked and not reaped."""
    with contextlib.suppress(OSError):
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
