"""An answer while it is generated: from the engine's events to those of the client."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from pyinfer.engine.messages import End, Event, Failed, Prefill, PromptLogprobs, Tokens
from pyinfer.errors import CancelledError, PyinferError
from pyinfer.requests.answer import AnswerEvent, Finished, Progress
from pyinfer.requests.prepare import Prepared
from pyinfer.requests.reader import AnswerReader
from pyinfer.requests.spec import ServedModel
from pyinfer.serving.loaded_model import Lease
from pyinfer.serving.state import RequestRecord, SlotState

#: Tokens and alternatives that wait for their reader, at some hundred bytes each, before the engine
#: generates no more for him.
MOST_BEHIND = 1024

Release = Callable[["Answer"], None]


class Answer:
    """The answers to one request, as one stream of events.

    Used as an async context manager: leaving it ends what still runs. Iterating gives the events in
    order per index; an error of the engine is raised out of the iteration.

    Attributes
    ----------
    model : ServedModel
    prompt_tokens : int
    token_ids : list of int
        Of the prompt.
    prompt_text : str
        The prompt as rendered; empty for a prompt of token ids.
    params : SamplingParams
        As they are used, after models' files and defaults.
    load_ns : int
        Nanoseconds that the request waited for the model to load.
    truncated_messages, truncated_tokens : int
        What was dropped from the prompt, on request.
    record : RequestRecord
    """

    def __init__(
        self,
        lease: Lease,
        prepared: Prepared,
        places: list[int],
        record: RequestRecord,
        released: Release,
    ) -> None:
        prompt, spec = prepared.prompt, prepared.spec
        self.model: ServedModel = lease.served
        self.prompt_tokens = len(prompt.token_ids)
        self.token_ids = prompt.token_ids
        self.prompt_text = prompt.text
        self.load_ns = lease.load_ns
        self.truncated_messages = prompt.truncated_messages
        self.truncated_tokens = prompt.truncated_tokens
        self.record = record
        self.lease = lease
        self.places = places
        self._spec = spec
        self.params = prepared.params
        self._released = released
        self._events: deque[tuple[int, Event]] = deque()
        self._ready: deque[AnswerEvent] = deque()
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None  # of the reader, for the next event
        self._choices: dict[int, int] = {}  # index -> request id of those that run
        self._behind = 0  # what the reader has not taken: tokens and their alternatives
        self._resting = False
        # A stream has delivered its log-probabilities; kept, they would be most of its memory.
        self._readers = [
            AnswerReader(prepared, index, lease.load_ns, keeps_logprobs=not spec.stream)
            for index in range(spec.n)
        ]
        self._open = spec.n  # choices whose last event was not read
        self._left = False
        self._admitted_ns = time.perf_counter_ns()
        self._token_ns = [0] * spec.n
        self._progress = [0, 0, 0]
        self._done = False
        self._submit(prepared)

    def _submit(self, prepared: Prepared) -> None:
        process = self.lease.model.process
        assert process is not None
        try:
            for index, request in enumerate(prepared.requests):
                request.request_id = process.new_id()
                process.submit(request, partial(self._take, index))
                self._choices[index] = request.request_id
        except BaseException:
            self._done = True  # who made it gives back what it held
            self.cancel()
            raise

    def _take(self, index: int, event: Event) -> None:
        """Account for an event as soon as it is here; on the event loop."""
        now = time.perf_counter_ns()
        record = self.record
        if isinstance(event, Tokens):
            self._note_tokens(index, len(event.ids), now)
        elif isinstance(event, Prefill):
            self._progress = [event.done, event.total, event.cached]
            if record.phase == "queued":
                record.phase = "prefill"
        elif isinstance(event, End | Failed):
            self._choices.pop(index, None)
            self._note_end(event)
        if not self._left:
            self._events.append((index, event))
            self._behind += _weight(event)
            if self._behind > MOST_BEHIND and not self._resting:
                self._rest(True)
            self._wake()
        if not self._choices and isinstance(event, End | Failed):
            self._finish(now)

    def _rest(self, on: bool) -> None:
        """Stop the engine for a reader who is slow, or go on."""
        self._resting = on
        process = self.lease.model.process
        if process is not None:
            for request_id in self._choices.values():
                process.pause(request_id, on)

    def _note_tokens(self, index: int, count: int, now: int) -> None:
        record = self.record
        last, self._token_ns[index] = self._token_ns[index], now
        if last:
            record.gaps_ns.append((now - last, count))
        record.phase = "decode"
        record.completion_tokens += count
        if not record.first_token_ns:
            record.first_token_ns = now - record.arrived_ns

    def _note_end(self, event: End | Failed) -> None:
        record = self.record
        if isinstance(event, Failed):
            record.reason, record.error = "error", event.error.code
            return
        stats = event.stats
        record.prompt_tokens = stats.prompt_tokens
        record.cached_tokens = max(record.cached_tokens, stats.cached_tokens)
        record.preemptions += stats.preemptions
        record.queue_ns = record.queue_ns or stats.queue_ns
        record.prompt_ns = record.prompt_ns or stats.prompt_ns
        record.decode_ns = max(record.decode_ns, stats.decode_ns)
        record.loops += event.cause == "loop"
        if record.reason == "abort" and event.reason != "cancelled":
            record.reason = event.reason

    def _finish(self, now: int) -> None:
        if self._done:
            return
        self._done = True
        self.record.total_ns = now - self.record.arrived_ns
        self._released(self)

    def cancel(self) -> None:
        """End what still runs; the iteration ends with what there is."""
        process = self.lease.model.process
        if process is not None:
            for request_id in self._choices.values():
                process.cancel(request_id)

    def fail(self, error: PyinferError) -> None:
        """End the answer with an error, at the end of a drain."""
        for index in list(self._choices):
            self._events.append((index, Failed(0, error)))
        self.record.reason, self.record.error = "error", error.code
        self._wake()
        self.cancel()

    def __aiter__(self) -> Answer:
        return self

    async def __anext__(self) -> AnswerEvent:
        while not self._ready:
            if not self._open:
                raise StopAsyncIteration
            while not self._events:
                # A bare future: there is one reader, and an event of asyncio keeps a queue of them.
                self._waiter = self._loop.create_future()
                await self._waiter
            index, event = self._events.popleft()
            self._behind -= _weight(event)
            if self._resting and self._behind < MOST_BEHIND // 4:
                self._rest(False)
            self._ready.extend(self._read(index, event))
        return self._ready.popleft()

    def _wake(self) -> None:
        """Let the reader go on; there is at most one."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _read(self, index: int, event: Event) -> list[AnswerEvent]:
        reader = self._readers[index]
        if isinstance(event, Tokens):
            return reader.tokens(event)
        if isinstance(event, End):
            self._open -= 1
            events = reader.end(event)
            if reader.generation is not None:
                self.record.reasoning_tokens += reader.generation.usage.reasoning_tokens
            if any(isinstance(end, Finished) and end.reason == "tool_calls" for end in events):
                self.record.reason = "tool_calls"  # known only when the text is read
            return events
        if isinstance(event, Failed):
            self._open = 0
            self.cancel()
            raise event.error
        if isinstance(event, PromptLogprobs):
            return reader.scores(event)
        if isinstance(event, Prefill) and self._spec.progress:
            elapsed = time.perf_counter_ns() - self._admitted_ns
            return [Progress(index, event.done, event.total, event.cached, elapsed)]
        return []

    async def finish(self) -> list[Finished]:
        """Read to the end; the complete answers by index.

        Raises
        ------
        PyinferError
            The generation failed, or was cancelled.
        """
        finished = [event async for event in self if isinstance(event, Finished)]
        if len(finished) < self._spec.n:
            raise CancelledError("the request was cancelled")
        return sorted(finished, key=lambda event: event.index)

    def slots(self) -> list[SlotState]:
        """One state per place that the answer holds."""
        done, total, _ = self._progress
        return [
            SlotState(
                id=place,
                model=self.model.name,
                request_id=self._spec.request_id,
                phase=self.record.phase,
                prompt_tokens=self.prompt_tokens,
                evaluated_tokens=done if total else 0,
                generated_tokens=self.record.completion_tokens,
                params=self.params,
                context=self.model.context,
            )
            for place in self.places
        ]

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._left = True
        self._events.clear()
        self.cancel()


def _weight(event: Event) -> int:
    """About how many pieces of memory an event is."""
    if not isinstance(event, Tokens):
        return 0
    weight = 2 * len(event.ids)
    for entry in event.logprobs or ():
        weight += len(entry[1]) if entry is not None else 0
    return weight
