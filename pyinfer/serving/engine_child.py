"""The process that holds one model: loads it and runs the engine for the server.

Started by :mod:`pyinfer.serving.engine_process`. It ends when the server asks for it, and at once
when the server is gone, whatever it is doing. It also ends when any of its threads fails: a process
that lives on with a part of itself would refuse all requests, and nobody would replace it.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import threading
import time
import traceback
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from pyinfer.engine.engine import Engine
from pyinfer.engine.messages import Cancel, Event, Failed, Pause, Request
from pyinfer.engine.worker import EngineWorker
from pyinfer.errors import EngineError, PyinferError
from pyinfer.loading import ModelParts, load_parts, start_worker
from pyinfer.requests.rules import hook_factory
from pyinfer.serving.engine_messages import LoadFailed, Loading, LoadOrder, Ready, Snapshot
from pyinfer.serving.grammar_thread import GrammarThread
from pyinfer.serving.state import EngineStats

STATS_SECONDS = 0.05
HEARTBEAT_SECONDS = 1.0
#: A step that only evaluates prompts takes no longer, so that a new request is seen soon.
LONGEST_STEP_NS = 1_000_000_000
_PROGRESS_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1
#: Exit status after an exception that a thread did not expect (``EX_SOFTWARE``).
FAILED_STATUS = 70
_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main(fd: int, parent: int) -> None:
    """Run until the server ends the connection ``fd``; ``parent`` is its process id."""
    faulthandler.enable()
    # Ctrl-C and the like are for the server, which then drains.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(parent)
    threading.excepthook = _thread_failed
    try:
        EngineChild(Connection(fd)).run()
    except BaseException as error:
        _end_after(error)
    # Threads may be inside kernels or wait for a reader that is gone.
    os._exit(0)


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    _end_after(failure.exc_value)


def _end_after(error: BaseException | None) -> NoReturn:
    """End the process because of an exception that nobody handled."""
    status = FAILED_STATUS
    try:
        if isinstance(error, EOFError | ConnectionError):
            status = 0  # the server is gone
        else:
            traceback.print_exception(error)
    finally:
        os._exit(status)


def _die_with(parent: int) -> None:
    """Let the kernel end this process with its parent, also while it is stopped."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


class EngineChild:
    """Serves one connection.

    Parameters
    ----------
    connection : Connection
        To the server.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._events: list[Event] = []
        self._worker: EngineWorker | None = None
        self._grammars: GrammarThread | None = None
        self._stats = EngineStats()
        self._stats_at = 0.0
        self._step_at = 0.0
        self._steps = 0
        self._step_tokens: list[int] = []
        self._busy = False

    def run(self) -> None:
        """Load, then pass messages on until the server says that it is enough."""
        order = self._connection.recv()
        assert isinstance(order, LoadOrder)
        threading.Thread(target=self._beat, name="pyinfer-heartbeat", daemon=True).start()
        try:
            self._load(order)
        except PyinferError as error:
            self._send(LoadFailed(error))
            return
        except MemoryError:
            self._send(LoadFailed(EngineError("loading the model ran out of memory")))
            return
        except Exception as error:
            failure = f"loading the model failed: {type(error).__name__}: {error}"
            self._send(LoadFailed(EngineError(failure)))
            raise
        worker = self._worker
        assert worker is not None
        while (message := self._connection.recv()) is not None:
            if isinstance(message, Request):
                self._take(worker, message)
            elif isinstance(message, Pause):
                worker.pause(message.request_id, message.on)
            elif isinstance(message, Cancel):
                grammars = self._grammars
                if grammars is None or not grammars.cancel(message.request_id):
                    worker.cancel(message.request_id)
        worker.close()

    def _load(self, order: LoadOrder) -> None:
        shown = 0.0

        def progress(done: int, total: int) -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown >= _PROGRESS_SECONDS or done >= total:
                shown = now
                self._send(Loading(done, total))

        parts = load_parts(
            order.model,
            order.options,
            progress=progress,
            reserved=order.reserved,
            max_logit_rows=order.max_running,
        )
        worker = start_worker(
            parts,
            hook_factory(parts.tokenizer),
            self._after_events,
            _end_after,
            max_running=order.max_running,
            longest_step_ns=LONGEST_STEP_NS,
        )
        self._worker = worker
        if parts.tokenizer is not None:
            submit = partial(self._submit, worker)
            self._grammars = GrammarThread(parts.tokenizer, submit, worker.cancel, self._fail)
        self._stats = _stats(worker.engine)
        self._send(_ready(parts, worker.engine))
        self._send(Snapshot(self._stats, resident_bytes(), 0.0))

    def _take(self, worker: EngineWorker, request: Request) -> None:
        rules = request.rules
        if self._grammars is not None and rules is not None and rules.grammar is not None:
            self._grammars.submit(request)
        else:
            self._submit(worker, request)

    def _submit(self, worker: EngineWorker, request: Request) -> None:
        if not self._busy:
            self._step_at = time.monotonic()
            self._busy = True
        try:
            worker.submit(request, self._collect)
        except PyinferError as error:
            self._fail(request.request_id, error)
        except Exception as error:
            failure = EngineError(f"the engine failed: {type(error).__name__}: {error}")
            self._fail(request.request_id, failure)

    def _fail(self, request_id: int, error: PyinferError) -> None:
        self._send([Failed(request_id, error)])

    def _collect(self, event: Event) -> None:
        self._events.append(event)

    def _after_events(self) -> None:
        """Send what the step said; on the engine's thread."""
        worker = self._worker
        if worker is None:
            return
        engine = worker.engine
        now = time.monotonic()
        self._step_at = now
        self._busy = engine.has_work
        if engine.counters.steps != self._steps:
            self._steps = engine.counters.steps
            self._step_tokens.append(engine.counters.step_tokens)
        # One message: each wakes two threads of the server, which take a core from the next step.
        said: list[Snapshot | Event] = []
        if now - self._stats_at >= STATS_SECONDS or not self._busy:
            self._stats_at = now
            self._stats = _stats(engine)
            tokens, self._step_tokens = self._step_tokens, []
            said.append(Snapshot(self._stats, resident_bytes(), 0.0, tokens))
        # After the counts: who reads metrics after an answer finds it counted.
        said += self._events
        self._events.clear()
        if said:
            self._send(said)

    def _beat(self) -> None:
        """Tell the server that the process lives and whether the engine makes progress."""
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            waited = time.monotonic() - self._step_at if self._busy else 0.0
            self._send(Snapshot(self._stats, resident_bytes(), waited))

    def _send(self, message: Any) -> None:
        with self._sending:
            self._connection.send(message)


def _ready(parts: ModelParts, engine: Engine) -> Ready:
    running = engine.scheduler.max_running
    return Ready(
        parts.info,
        parts.defaults,
        engine.limits,
        running,
        parts.model.cache_bytes,
        resident_bytes(),
    )


def _stats(engine: Engine) -> EngineStats:
    scheduler, counters = engine.scheduler, engine.counters
    return EngineStats(
        running=len(scheduler.running),
        waiting=len(scheduler.waiting),
        kv_blocks=scheduler.pool.n_blocks,
        kv_free=scheduler.pool.free + scheduler.prefix.evictable(),
        prefix_queries=scheduler.prefix.queried_tokens,
        prefix_hits=scheduler.prefix.hit_tokens,
        preemptions=scheduler.preemptions,
        steps=counters.steps,
        evaluated_tokens=counters.evaluated_tokens,
        generated_tokens=counters.generated_tokens,
    )


def resident_bytes() -> int:
    """Physical memory of this process."""
    return int(_STATM.read_bytes().split()[1]) * _PAGE
