"""The engine: one call of :meth:`Engine.step` is schedule, run the model, sample, report.

It belongs to one thread. Everything it says leaves as events; see ``messages.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Rows
from dataclasses import dataclass

import numpy as np

from pyinfer.config import GenerationDefaults
from pyinfer.engine.hooks import HookFactory, no_hooks, rule_error
from pyinfer.engine.limits import EngineLimits
from pyinfer.engine.messages import (
    Embedding,
    End,
    Event,
    Failed,
    FinishReason,
    Prefill,
    Queued,
    Request,
    Tokens,
)
from pyinfer.engine.pacing import SMALLEST_CHUNK, Pacer
from pyinfer.engine.prompt_rows import prompt_rows
from pyinfer.engine.sampler import Sampler, log_probabilities
from pyinfer.engine.scheduler import Plan, Scheduler
from pyinfer.engine.sequence import Sequence
from pyinfer.errors import (
    CancelledError,
    NumericError,
    PyinferError,
    RequestError,
)
from pyinfer.model.cache import BlockPool
from pyinfer.model.step import BLOCK_TOKENS, LOGITS_ALL, CancelSignal, LogitsRow, StepModel

MAX_RUNNING = 64

# Tokens of very fast models are delivered in small groups: a listener that wakes up for each one
# would cost more than the model. Nobody waits longer than this for a token that is ready.
_GROUP_NS = 2_000_000
_FAST_STEP_NS = 1_000_000


@dataclass(slots=True)
class Counters:
    """What an engine has done so far.

    Attributes
    ----------
    steps : int
    step_tokens : int
        Tokens of the latest step.
    evaluated_tokens, generated_tokens : int
        Tokens that went through the model, and tokens that it chose.
    """

    steps: int = 0
    step_tokens: int = 0
    evaluated_tokens: int = 0
    generated_tokens: int = 0


class Engine:
    """Runs requests on a model.

    Parameters
    ----------
    model : StepModel
    defaults : GenerationDefaults
        Sampling defaults and end tokens of the model.
    context : int, optional
        Most tokens of one sequence; at most what the cache holds.
    cancel : CancelSignal, optional
        Polled by a running step; set from other threads.
    hook_factory : callable
        Builds the rules of a request that need more than token ids.
    max_running : int
        Most sequences at once; others wait.
    longest_step_ns : int, optional
        Limit for steps that only evaluate prompts; see :class:`Pacer`.
    clock : callable
        Nanoseconds; replaced in tests.

    Attributes
    ----------
    counters : Counters
    """

    def __init__(
        self,
        model: StepModel,
        defaults: GenerationDefaults,
        *,
        context: int | None = None,
        cancel: CancelSignal | None = None,
        hook_factory: HookFactory = no_hooks,
        max_running: int = MAX_RUNNING,
        longest_step_ns: int | None = None,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.model = model
        self.defaults = defaults
        capacity = model.n_blocks * BLOCK_TOKENS
        self.context = min(capacity, capacity if context is None else context)
        self._cancel = cancel
        self._hook_factory = hook_factory
        self._clock = clock
        self._eos_ids = frozenset(i for i in defaults.eos_token_ids if i < model.n_valid)
        self.pacer = Pacer(model.max_step_tokens, longest_step_ns)
        self.scheduler = Scheduler(
            BlockPool(model.n_blocks),
            self.pacer,
            max_step_tokens=model.max_step_tokens,
            max_logit_rows=model.max_logit_rows,
            max_running=max_running,
            copy_block=model.copy_block,
        )
        self._sequences: dict[int, Sequence] = {}
        self._arrivals = 0
        self._in_step: Plan = []
        self._paused = 0
        self.counters = Counters()

    @property
    def limits(self) -> EngineLimits:
        """What requests are checked against."""
        model = self.model
        return EngineLimits(model.config.vocab_size, model.n_valid, self.context)

    @property
    def has_work(self) -> bool:
        """Whether any request has not ended, and is not paused."""
        return len(self._sequences) > self._paused

    def check(self, request: Request) -> None:
        """Refuse a request that cannot run. Callable from any thread.

        Raises
        ------
        RequestError
            No tokens, a token id outside the vocabulary, a bad parameter.
        ContextLengthError
            The prompt leaves no room in the context.
        """
        self.limits.check(request)

    def add(self, request: Request) -> list[Event]:
        """Take in a checked request; its first event may be that it has to wait."""
        request_id = request.request_id
        if request_id in self._sequences:
            return [Failed(request_id, RequestError("the request id is in use"))]
        try:
            sequence = self._sequence(request)
        except PyinferError as error:
            return [Failed(request_id, error)]
        except Exception as error:
            return [Failed(request_id, rule_error(error))]
        waits = bool(self.scheduler.waiting or self.scheduler.running)
        self._sequences[request_id] = sequence
        self.scheduler.add(sequence)
        return [Queued(request_id)] if waits else []

    def _sequence(self, request: Request) -> Sequence:
        """Everything that a request needs, before the engine knows of it."""
        params = request.params.filled(self.defaults)
        eos_ids = self._eos_ids
        sampler = Sampler(params, self.model.n_valid, choice=request.choice, eos_ids=eos_ids)
        sampler.start(request.tokens)
        hooks = self._hook_factory(request)
        mask = None
        if hooks is not None and hooks.masks:
            mask = np.zeros(-(-self.model.n_valid // 32), np.uint32)
        self._arrivals += 1
        return Sequence(
            request,
            params,
            sampler,
            self.scheduler.pool,
            arrival=self._arrivals,
            limit=self.limits.of(request),
            eos_ids=eos_ids,
            hooks=hooks,
            mask=mask,
        )

    def cancel(self, request_id: int) -> list[Event]:
        """End a request now; nothing happens if it has ended already."""
        sequence = self._sequences.get(request_id)
        if sequence is None:
            return []
        events: list[Event] = []
        self._end(sequence, "cancelled", "cancelled", self._clock(), events)
        return events

    def pause(self, request_id: int, on: bool) -> list[Event]:
        """Generate nothing for a request, or go on; its tokens do not depend on it."""
        sequence = self._sequences.get(request_id)
        if sequence is not None and sequence.paused != on:
            sequence.paused = on
            self._paused += 1 if on else -1
        return []

    def fail_all(self, error: PyinferError) -> list[Event]:
        """End every request with ``error`` and forget all cached blocks."""
        events: list[Event] = [Failed(request_id, error) for request_id in self._sequences]
        self._sequences.clear()
        self._paused = 0
        self._in_step = []
        self.scheduler.reset()
        return events

    def waits_for(self, request_id: int) -> bool:
        """Whether a cancelled request would keep the running step busy for long.

        Callable from any thread. True if the step works for this request alone or on a piece of its
        prompt; otherwise the step ends soon, and stopping it would make others repeat theirs.
        """
        plan = self._in_step
        for sequence, count in plan:
            if sequence.request.request_id == request_id:
                return len(plan) == 1 or count > SMALLEST_CHUNK
        return False

    def step(self, postpone: Callable[[], bool] | None = None) -> list[Event]:
        """Run one step of the model.

        Parameters
        ----------
        postpone : callable, optional
            Asked right before the model runs, when :meth:`waits_for` already sees this step; True
            gives up the step, so that a cancellation between two steps is not missed.

        Returns
        -------
        list of Event
            Empty if the step was cancelled; it is repeated by the next call.
        """
        clock = self._clock
        events: list[Event] = []
        started = clock()
        plan = self.scheduler.plan()
        if not plan:
            return events
        for sequence, _ in plan:
            if not sequence.admitted_ns:
                sequence.admitted_ns = started
        spans = [sequence.span(count) for sequence, count in plan]
        self._in_step = plan
        try:
            if postpone is not None and postpone():
                return events
            rows = self.model.step(spans, self._cancel)
        except CancelledError:
            return events
        finally:
            self._in_step = []
        now = clock()
        next_row = first = decoding = prompt = 0
        for (sequence, count), span in zip(plan, spans, strict=True):
            wanted = count if span.logits == LOGITS_ALL else span.logits
            first += count
            own = rows[next_row : next_row + wanted]
            self._take(sequence, count, own, first - 1, now, events)
            next_row += wanted
            if count > SMALLEST_CHUNK:
                prompt += count
            else:
                decoding += count
        now_after = clock()
        counters = self.counters
        counters.steps += 1
        counters.step_tokens = decoding + prompt
        counters.evaluated_tokens += decoding + prompt
        self.pacer.observe(decoding, prompt, now - started)
        fast = now_after - started < _FAST_STEP_NS
        self._end_late(now_after, events)
        for sequence, _ in plan:
            if sequence.unsent and sequence.request.stream:
                if fast and now_after - sequence.sent_ns < _GROUP_NS:
                    continue
                self._send(sequence, now_after, events)
        return events

    def _end_late(self, now: int, events: list[Event]) -> None:
        """End what has used up its time, also while its prompt is evaluated or it was put back."""
        for sequence in tuple(self._sequences.values()):
            wall_ns, began = sequence.request.wall_ns, sequence.admitted_ns
            if wall_ns is not None and began and now - began >= wall_ns:
                self._end(sequence, "length", "deadline", now, events)

    def _take(
        self,
        sequence: Sequence,
        count: int,
        rows: Rows[LogitsRow],
        last: int,
        now: int,
        events: list[Event],
    ) -> None:
        """Account for one sequence's part of a step, which ends with token ``last`` of it."""
        before = sequence.n_computed
        self.scheduler.advance(sequence, count)
        request = sequence.request
        if not sequence.first_token_ns:
            total = sequence.n_prompt
            done = min(sequence.n_computed, total)
            events.append(Prefill(request.request_id, done, total, sequence.n_cached))
        try:
            if request.every_row and before < sequence.n_prompt:
                events.append(prompt_rows(sequence, before, rows))
            if sequence.n_computed < sequence.n_tokens:
                return
            if not sequence.first_token_ns:
                sequence.first_token_ns = now
            if request.embed:
                events.append(self._embedding(request.request_id, last))
            if sequence.params.max_tokens == 0:
                self._end(sequence, "length", "limit", now, events)
            else:
                self._choose(sequence, rows[-1], now, events)
        except PyinferError as error:
            self._fail(sequence, error, now, events)
        except Exception as error:
            self._fail(sequence, rule_error(error), now, events)

    def _embedding(self, request_id: int, row: int) -> Embedding:
        vector = self.model.hidden(row)
        if not np.isfinite(vector).all():
            raise NumericError("the hidden state of the prompt holds a value that is not finite")
        return Embedding(request_id, vector)

    def _choose(self, sequence: Sequence, row: LogitsRow, now: int, events: list[Event]) -> None:
        """Sample the next token of a sequence and see whether its answer ends."""
        hooks, params = sequence.hooks, sequence.params
        mask = sequence.mask
        if mask is not None and hooks is not None and not hooks.mask(mask):
            mask = None
        token = sequence.sampler.choose(row, sequence.n_tokens, mask)
        at_end = token in sequence.eos_ids
        if at_end and hooks is not None and (instead := hooks.instead_of_end()):
            self._force(sequence, instead)
            self._end_if_full(sequence, now, events)
            return
        sequence.append(token)
        sequence.sampler.accept(token)
        sequence.unsent.append(token)
        self.counters.generated_tokens += 1
        if params.logprobs is not None:
            sequence.unsent_logprobs.append(log_probabilities(row, token, params.logprobs))
        if token in sequence.end_ids:
            cause = "eos" if token in sequence.eos_ids else "token"
            self._end(sequence, "stop", cause, now, events)
            return
        if hooks is not None:
            action = hooks.on_token(token)
            if action == "stop":
                self._end(sequence, "stop", "hook", now, events)
                return
            if action == "loop":
                self._end(sequence, "length", "loop", now, events)
                return
            self._force(sequence, action or ())
        self._end_if_full(sequence, now, events)

    def _end_if_full(self, sequence: Sequence, now: int, events: list[Event]) -> None:
        cause = self._full(sequence)
        deadline_ns = sequence.request.deadline_ns
        if deadline_ns is not None and now - sequence.first_token_ns >= deadline_ns:
            cause = cause or "deadline"
        if cause:
            self._end(sequence, "length", cause, now, events)

    def _force(self, sequence: Sequence, tokens: Iterable[int]) -> None:
        """Append tokens without sampling, as far as there is room."""
        for token in tokens:
            if self._full(sequence):
                return
            sequence.append(token)
            sequence.sampler.accept(token)
            sequence.unsent.append(token)
            if sequence.params.logprobs is not None:
                sequence.unsent_logprobs.append(None)

    def _full(self, sequence: Sequence) -> str:
        """Which limit the sequence has reached; empty for none."""
        max_tokens = sequence.params.max_tokens
        if max_tokens is not None and sequence.n_tokens - sequence.n_prompt >= max_tokens:
            return "limit"
        return "context" if sequence.n_tokens >= sequence.limit else ""

    def _send(self, sequence: Sequence, now: int, events: list[Event]) -> None:
        logprobs = None
        if sequence.params.logprobs is not None:
            logprobs, sequence.unsent_logprobs = sequence.unsent_logprobs, []
        texts = None if sequence.hooks is None else sequence.hooks.take_texts()
        events.append(Tokens(sequence.request.request_id, sequence.unsent, logprobs, texts))
        sequence.unsent = []
        sequence.sent_ns = now

    def _end(
        self, sequence: Sequence, reason: FinishReason, cause: str, now: int, events: list[Event]
    ) -> None:
        if sequence.unsent:
            self._send(sequence, now, events)
        request_id = sequence.request.request_id
        events.append(End(request_id, reason, cause, sequence.stats(now)))
        self._forget(sequence)

    def _fail(self, sequence: Sequence, error: PyinferError, now: int, events: list[Event]) -> None:
        if sequence.unsent:
            self._send(sequence, now, events)
        events.append(Failed(sequence.request.request_id, error))
        self._forget(sequence)

    def _forget(self, sequence: Sequence) -> None:
        del self._sequences[sequence.request.request_id]
        self._paused -= sequence.paused
        self.scheduler.remove(sequence)
