"""Compiles grammars of new requests beside the engine's thread, which all streams wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from pyinfer.engine.messages import Request
from pyinfer.errors import EngineError, PyinferError
from pyinfer.requests.rules import compile_grammar
from pyinfer.text.tokenizer import Tokenizer


class GrammarThread:
    """A queue in front of the engine for requests with a grammar; the others do not come here.

    Parameters
    ----------
    tokenizer : Tokenizer
    submit, cancel : callable
        Of the engine, with a request and with its id.
    fail : callable
        Tells that a request, by its id, has failed.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        submit: Callable[[Request], None],
        cancel: Callable[[int], None],
        fail: Callable[[int, PyinferError], None],
    ) -> None:
        self._tokenizer = tokenizer
        self._submit, self._cancel, self._fail = submit, cancel, fail
        self._queue: SimpleQueue[Request] = SimpleQueue()
        self._cancelled: dict[int, bool] = {}  # of what is here
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, request: Request) -> None:
        """Compile the grammar of a request, then hand it to the engine. Called by one thread."""
        self._cancelled[request.request_id] = False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="pyinfer-grammar", daemon=True)
            self._thread.start()
        self._queue.put(request)

    def cancel(self, request_id: int) -> bool:
        """Cancel a request that is here; False if it is not."""
        with self._lock:
            here = request_id in self._cancelled
            if here:
                self._cancelled[request_id] = True
            return here

    def _run(self) -> None:
        while True:
            request = self._queue.get()
            number = request.request_id
            try:
                if not self._cancelled[number]:
                    compile_grammar(request, self._tokenizer)
            except PyinferError as error:
                self._fail(number, error)
            except Exception:
                self._fail(number, EngineError("compiling the grammar failed"))
            else:
                self._submit(request)
            with self._lock:
                cancelled = self._cancelled.pop(number)
            if cancelled:
                self._cancel(number)  # the engine says how such a request ends
