"""The thread that runs the engine, and the way in and out for all other threads.

Everything that enters goes through one queue; everything that leaves is handed to the listener of
its request. The thread sleeps when there is nothing to do. Whatever happens, every request that was
accepted ends with :class:`End` or :class:`Failed`, and once the thread has ended every call fails.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from pyinfer.engine.engine import Engine
from pyinfer.engine.messages import Cancel, End, Event, Failed, Pause, Request
from pyinfer.errors import EngineError, EngineLostError, PyinferError, QueueFullError
from pyinfer.model.step import CancelSignal

MAX_OPEN_REQUESTS = 1024

Listener = Callable[[Event], None]

#: How often a waiting reader looks whether the engine's thread is still there.
LOOK_SECONDS = 0.25


class RequestHandle:
    """Reads the events of one request, or of several that are read together.

    Waiting can be interrupted by Ctrl-C like any other waiting in Python.
    """

    __slots__ = ("_events", "_open", "_worker")

    def __init__(self, worker: EngineWorker) -> None:
        self._open: list[int] = []  # requests whose last event was not read
        self._worker = worker
        self._events: SimpleQueue[Event] = SimpleQueue()

    @property
    def ended(self) -> bool:
        """Whether the last event of every request was read."""
        return not self._open

    def next(self) -> Event:
        """The next event; :class:`Failed` instead of waiting for ever if the engine is gone."""
        while True:
            try:
                event = self._events.get(timeout=LOOK_SECONDS)
            except Empty:
                if self._worker.alive or not self._events.empty():
                    continue
                event = Failed(self._open[0], self._worker.failure())
            if isinstance(event, End | Failed):
                self._open.remove(event.request_id)
            return event

    def cancel(self) -> None:
        """Ask for the end of what runs; events that are under way still come."""
        for request_id in tuple(self._open):
            self._worker.cancel(request_id)


class EngineWorker:
    """Runs an :class:`Engine` in a thread of its own. All methods are thread-safe.

    Parameters
    ----------
    engine : Engine
        Handed over; nobody else may call it except for :meth:`Engine.check`.
    cancel : CancelSignal
        The same flag that the engine passes to the model.
    after_events : callable, optional
        Called on the engine's thread when the events of a step, or of a message, have all been
        handed to their listeners; it must not raise.
    on_failure : callable, optional
        Called on the engine's thread when an exception ends it, before anybody is told.
    """

    def __init__(
        self,
        engine: Engine,
        cancel: CancelSignal,
        after_events: Callable[[], None] | None = None,
        on_failure: Callable[[BaseException], object] | None = None,
    ) -> None:
        self._engine = engine
        self._on_failure = on_failure
        self._after_events = after_events
        self._flag = cancel
        self._inbox: SimpleQueue[Request | Cancel | Pause | None] = SimpleQueue()
        self._listeners: dict[int, Listener] = {}
        self._lock = threading.Lock()
        self._last_id = 0
        self._closing = False
        self._failure: PyinferError | None = None
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="pyinfer-engine", daemon=True)
        self._thread.start()

    @property
    def engine(self) -> Engine:
        """The engine; to be looked at on its own thread only."""
        return self._engine

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive() and self.in_home_process

    @property
    def in_home_process(self) -> bool:
        """False in a forked child, which has the memory but not the thread."""
        return os.getpid() == self._pid

    @property
    def open_requests(self) -> int:
        """Requests that have not ended."""
        return len(self._listeners)

    def failure(self) -> PyinferError:
        """Why nothing runs any more."""
        failure = self._failure
        if failure is None:
            return EngineError("the model is closed", hint="load it again")
        error = EngineLostError(failure.message, hint="the model is unusable, load it again")
        error.__cause__ = failure.__cause__
        return error

    def new_id(self) -> int:
        """A request id that no other request of this worker has.

        Raises
        ------
        EngineError
            This is a forked child of the process that loaded the model.
        """
        self._check_process()
        with self._lock:
            self._last_id += 1
            return self._last_id

    def submit(
        self,
        request: Request,
        listener: Listener | None = None,
        beside: RequestHandle | None = None,
    ) -> RequestHandle:
        """Check a request and hand it to the engine.

        Parameters
        ----------
        request : Request
            With an id of :meth:`new_id`.
        listener : callable, optional
            Called with each event on the engine's thread; it must be quick and not raise. Without
            it the events are read from the returned handle.
        beside : RequestHandle, optional
            Of an earlier request: takes in this one, and is returned.

        Raises
        ------
        RequestError, ContextLengthError
            The request cannot run.
        QueueFullError
            Too many requests are open.
        EngineError
            The engine is closed, its thread failed, or this is a forked child of the process that
            loaded the model.
        """
        self._engine.check(request)
        handle = RequestHandle(self) if beside is None else beside
        if not request.submitted_ns:
            request.submitted_ns = time.perf_counter_ns()
        self._check_process()
        with self._lock:
            if self._closing or not self._thread.is_alive():
                raise self.failure()
            if len(self._listeners) >= MAX_OPEN_REQUESTS:
                raise QueueFullError(f"{MAX_OPEN_REQUESTS} requests are waiting already")
            self._listeners[request.request_id] = listener or handle._events.put
            handle._open.append(request.request_id)
            self._inbox.put(request)
        return handle

    def _check_process(self) -> None:
        # Before any lock is taken: the fork may have copied one that another thread held.
        if not self.in_home_process:
            raise EngineError(
                "the model was loaded before a fork and does not run in the child process",
                hint="load it in the child, or start processes with the spawn method",
            )

    def cancel(self, request_id: int) -> None:
        """End a request soon, also in the middle of a step; harmless if it has ended."""
        if request_id not in self._listeners:
            return
        # First the message, then the look at the running step: whatever the engine does in
        # between, either it reads the message before the step or it is interrupted in it.
        self._inbox.put(Cancel(request_id))
        if self._engine.waits_for(request_id):
            self._flag.set()

    def pause(self, request_id: int, on: bool) -> None:
        """Let a request rest after the running step, or go on; harmless if it has ended."""
        if request_id in self._listeners:
            self._inbox.put(Pause(request_id, on))

    def close(self, timeout: float = 10.0) -> None:
        """Stop the running step, end all requests with an error and the thread. May be repeated.

        Raises
        ------
        EngineError
            The thread did not end in time.
        """
        if not self.in_home_process:
            return
        with self._lock:
            self._closing = True
        if threading.current_thread() is self._thread:
            return
        deadline = time.monotonic() + timeout
        self._inbox.put(None)
        while self._thread.is_alive():
            self._flag.set()
            self._thread.join(0.02)
            if time.monotonic() > deadline:
                raise EngineError(f"the engine did not stop within {timeout:g} s")

    def _run(self) -> None:
        error: PyinferError = EngineError("the model was closed while the request was running")
        try:
            while not self._closing:
                self._flag.clear()
                self._read_inbox()
                if self._engine.has_work and not self._closing:
                    self._step()
        except BaseException as failure:
            error = self._failure = _engine_error(failure, EngineLostError)
            if self._on_failure is not None:
                self._on_failure(failure)
            raise
        finally:
            # Before all else: who looks from now on, with or without the lock, sees the end.
            self._closing = True
            with self._lock:
                left = list(self._listeners)
            self._deliver_all([Failed(request_id, error) for request_id in left])

    def _step(self) -> None:
        engine = self._engine
        try:
            events = engine.step(self._mail)
        except Exception as failure:
            events = engine.fail_all(_engine_error(failure))
        self._deliver_all(events)

    def _mail(self) -> bool:
        return not self._inbox.empty()

    def _read_inbox(self) -> None:
        """Handle every message that is there; wait for one if the engine has nothing to do."""
        inbox, engine = self._inbox, self._engine
        while True:
            if inbox.empty() and (engine.has_work or self._closing):
                return
            message = inbox.get()
            if message is None:
                return
            try:
                if isinstance(message, Request):
                    events = engine.add(message)
                elif isinstance(message, Pause):
                    events = engine.pause(message.request_id, message.on)
                else:
                    events = engine.cancel(message.request_id)
            except Exception as failure:
                # Nobody knows how far it came, so nothing of the engine's state is kept.
                error = _engine_error(failure)
                events = [*engine.fail_all(error), Failed(message.request_id, error)]
            self._deliver_all(events)

    def _deliver_all(self, events: list[Event]) -> None:
        for event in events:
            self._deliver(event)
        if self._after_events is not None:
            self._after_events()

    def _deliver(self, event: Event) -> None:
        listener = self._listeners.get(event.request_id)
        if listener is None:
            return
        if isinstance(event, End | Failed):
            del self._listeners[event.request_id]
        try:
            listener(event)
        except Exception:
            # Nobody listens any more (an event loop that was closed, for example).
            self._listeners.pop(event.request_id, None)
            self._inbox.put(Cancel(event.request_id))


def _engine_error(failure: BaseException, kind: type[EngineError] = EngineError) -> PyinferError:
    if isinstance(failure, PyinferError):
        return failure
    text = ": ".join(part for part in (type(failure).__name__, str(failure)) if part)
    error = kind(f"the engine failed: {text}")
    error.__cause__ = failure
    return error
