"""Answers while they are being generated, for threads and for asyncio."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pyinfer.engine.messages import End, Event, Failed, Prefill, Request, Tokens
from pyinfer.engine.worker import LOOK_SECONDS, EngineWorker
from pyinfer.requests.answer import AnswerBuilder, Chunk, Generation

# Called with (evaluated, total, cached) tokens of the prompt.
PromptProgress = Callable[[int, int, int], None]


@dataclass(slots=True)
class Job:
    """A request together with what turns its events into an answer.

    Attributes
    ----------
    request : Request
    builder : AnswerBuilder
    progress : callable or None
        Told about the evaluation of the prompt.
    load_ns, bytes_per_token : int
        For the timings of the answer.
    owner : object
        Kept alive while the answer is generated: the model is closed with its last reference.
    generation : Generation or None
        Set when the answer is complete.
    """

    request: Request
    builder: AnswerBuilder
    progress: PromptProgress | None
    load_ns: int
    bytes_per_token: int
    owner: object
    generation: Generation | None = None

    def take(self, event: Event) -> list[Chunk]:
        """Account for one event; raises the error of :class:`Failed`."""
        builder = self.builder
        if isinstance(event, Tokens):
            if event.logprobs is not None:
                builder.logprobs += event.logprobs
            return [chunk for token in event.ids for chunk in builder.push(token)]
        if isinstance(event, End):
            chunks = builder.finish()
            self.generation = builder.generation(
                event.reason,
                event.cause,
                event.stats,
                load_ns=self.load_ns,
                bytes_per_token=self.bytes_per_token,
            )
            return chunks
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Prefill) and self.progress is not None:
            self.progress(event.done, event.total, event.cached)
        return []


class TextStream:
    """Iterates over the chunks of an answer while it is generated.

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
        self._handle = worker.submit(job.request)
        self._chunks: deque[Chunk] = deque()

    def __iter__(self) -> TextStream:
        return self

    def __next__(self) -> Chunk:
        chunks = self._chunks
        while not chunks:
            if self._handle.ended:
                raise StopIteration
            try:
                chunks.extend(self._job.take(self._handle.next()))
            except BaseException:
                self._handle.cancel()
                raise
        return chunks.popleft()

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
        if self._job.generation is None:
            raise RuntimeError("the generation has failed before")
        return self._job.generation

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
        self._chunks: deque[Chunk] = deque()
        self._ended = False
        self._handle = worker.submit(job.request, listener)
        _watch(weakref.ref(self), worker, loop)

    def __aiter__(self) -> AsyncTextStream:
        return self

    async def __anext__(self) -> Chunk:
        chunks = self._chunks
        while not chunks:
            if self._ended:
                raise StopAsyncIteration
            try:
                event = await self._events.get()
                self._ended = isinstance(event, End | Failed)
                chunks.extend(self._job.take(event))
            except BaseException:
                self.cancel()
                raise
        return chunks.popleft()

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            self.cancel()

    def _look(self, worker: EngineWorker) -> bool:
        """Whether it goes on; an engine that is gone ends the answer, not its reader's patience."""
        if not self._ended and not worker.alive:
            self._events.put_nowait(Failed(self._job.request.request_id, worker.failure()))
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
        if self._job.generation is None:
            raise RuntimeError("the generation has failed before")
        return self._job.generation

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
