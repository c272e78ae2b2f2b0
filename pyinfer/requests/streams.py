"""Answers while they are being generated, for threads and for asyncio."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from pyinfer.engine.messages import End, Event, Failed, Prefill, PromptLogprobs, Tokens
from pyinfer.engine.worker import LOOK_SECONDS, EngineWorker, Listener, RequestHandle
from pyinfer.requests.answer import (
    AnswerEvent,
    Chunk,
    Generation,
    StreamPart,
    ToolCallArguments,
    ToolCallStart,
)
from pyinfer.requests.prepare import Prepared
from pyinfer.requests.reader import AnswerReader

# Called with (evaluated, total, cached) tokens of the prompt.
PromptProgress = Callable[[int, int, int], None]

_SHOWN = (Chunk, ToolCallStart, ToolCallArguments)


class Job:
    """A prepared request together with what turns its events into answers.

    Parameters
    ----------
    prepared : Prepared
    progress : callable or None
        Told about the evaluation of the prompt.
    owner : object
        Kept alive while the answers are generated: the model is closed with its last reference.
    """

    def __init__(self, prepared: Prepared, progress: PromptProgress | None, owner: object) -> None:
        self._prepared = prepared
        self._progress = progress
        self._owner = owner
        load_ns = prepared.model.info.load_ns
        self._readers = [AnswerReader(prepared, i, load_ns) for i in range(prepared.spec.n)]
        self._by_id: dict[int, AnswerReader] = {}

    def submit(self, worker: EngineWorker, listener: Listener | None = None) -> RequestHandle:
        """Start every answer; one that is refused ends those before it."""
        handle = None
        try:
            for request, reader in zip(self._prepared.requests, self._readers, strict=True):
                request.request_id = worker.new_id()
                self._by_id[request.request_id] = reader
                handle = worker.submit(request, listener, handle)
        except BaseException:
            if handle is not None:
                handle.cancel()
            raise
        assert handle is not None
        return handle

    @property
    def complete(self) -> bool:
        """Whether every answer has ended."""
        return all(reader.generation is not None for reader in self._readers)

    def take(self, event: Event) -> list[StreamPart]:
        """Account for one event; raises the error of :class:`Failed`."""
        if isinstance(event, Failed):
            raise event.error
        reader = self._by_id[event.request_id]
        events: list[AnswerEvent] = []
        if isinstance(event, Tokens):
            events = reader.tokens(event)
        elif isinstance(event, End):
            events = reader.end(event)
        elif isinstance(event, PromptLogprobs):
            reader.scores(event)
        elif isinstance(event, Prefill) and self._progress and reader is self._readers[0]:
            self._progress(event.done, event.total, event.cached)
        return [part for part in events if isinstance(part, _SHOWN)]

    def generation(self) -> Generation:
        """The first answer, with the others behind it."""
        found = [reader.generation for reader in self._readers if reader.generation is not None]
        if len(found) < len(self._readers):
            raise RuntimeError("the generation has failed before")
        return replace(found[0], others=tuple(found[1:]))


class TextStream:
    """Iterates over the pieces of an answer while it is generated.

    They are of the kinds ``reasoning``, ``content`` and, where the request has tools,
    ``tool_call``; all have ``text``, and ``index`` where several answers were asked for.

    Leaving the ``with`` block, :meth:`close`, an exception or Ctrl-C while waiting end the
    generation; :meth:`result` then still gives what there is. Used by one thread at a time;
    :meth:`cancel` may be called from any.

    Examples
    --------
    >>> import pyinfer
    >>> greedy = pyinfer.SamplingParams(temperature=0)
    >>> with pyinfer.load() as llm, llm.stream_chat("What is 2 + 3?", params=greedy) as stream:
    ...     shown = "".join(chunk.text for chunk in stream if chunk.kind == "content")
    ...     result = stream.result()
    >>> "5" in shown, shown == result.text, result.finish_reason
    (True, True, 'stop')
    """

    def __init__(self, worker: EngineWorker, job: Job) -> None:
        self._job = job
        self._handle = job.submit(worker)
        self._parts: deque[StreamPart] = deque()
        self._failed = False

    def __iter__(self) -> TextStream:
        return self

    def __next__(self) -> StreamPart:
        parts = self._parts
        while not parts:
            if self._failed or self._handle.ended:
                raise StopIteration
            try:
                event = self._handle.next()
                self._failed = isinstance(event, Failed)
                parts.extend(self._job.take(event))
            except BaseException:
                self._handle.cancel()
                raise
        return parts.popleft()

    def cancel(self) -> None:
        """End the generation soon; the iteration then ends with what there is."""
        self._handle.cancel()

    def result(self) -> Generation:
        """Read what is left and return the whole answer.

        Raises
        ------
        PyinferError
            The generation failed.
        """
        for _ in self:
            pass
        return self._job.generation()

    def close(self) -> None:
        """End the generation if it still runs."""
        self._handle.cancel()

    def __enter__(self) -> TextStream:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle is not None:
            handle.cancel()


class AsyncTextStream:
    """As :class:`TextStream`, for ``async for`` and ``async with`` in one event loop.

    Cancelling the waiting task ends the generation.
    """

    def __init__(self, worker: EngineWorker, job: Job) -> None:
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event] = asyncio.Queue()

        def listener(event: Event) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        self._job = job
        self._events = events
        self._parts: deque[StreamPart] = deque()
        self._ended = False
        self._handle = job.submit(worker, listener)
        _watch(weakref.ref(self), worker, loop)

    def __aiter__(self) -> AsyncTextStream:
        return self

    async def __anext__(self) -> StreamPart:
        parts = self._parts
        while not parts:
            if self._ended:
                raise StopAsyncIteration
            try:
                event = await self._events.get()
                parts.extend(self._job.take(event))
                self._ended = self._job.complete
            except BaseException as error:
                self._handle.cancel()
                self._ended = not isinstance(error, asyncio.CancelledError)
                raise
        return parts.popleft()

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            self.cancel()

    def _look(self, worker: EngineWorker) -> bool:
        """Whether it goes on; an engine that is gone ends the answer, not its reader's patience."""
        if not self._ended and not worker.alive:
            self._events.put_nowait(Failed(0, worker.failure()))
            return False
        return not self._ended

    def cancel(self) -> None:
        """End the generation soon; the iteration then ends with what there is."""
        if not self._ended:
            self._handle.cancel()

    async def result(self) -> Generation:
        """Read what is left and return the whole answer; errors as :meth:`TextStream.result`."""
        async for _ in self:
            pass
        return self._job.generation()

    async def __aenter__(self) -> AsyncTextStream:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.cancel()


def _watch(
    reference: weakref.ref[AsyncTextStream], worker: EngineWorker, loop: asyncio.AbstractEventLoop
) -> None:
    """Look after a stream now and then, without keeping it alive."""
    stream = reference()
    if stream is not None and stream._look(worker):
        loop.call_later(LOOK_SECONDS, _watch, reference, worker, loop)
