"""Runs requests on models: everything between a dialect and the engine processes.

The dialects parse and render; this class finds and loads the model, renders and tokenises in
threads, lets requests wait for their turn, and hands out their events. It lives on one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from pyinfer.errors import ModelNotFoundError, PyinferError, UnavailableError
from pyinfer.requests.prepare import Prepared, prepare
from pyinfer.requests.spec import Embeddings, GenerateSpec, ServedModel, bad_value
from pyinfer.serving.admission import Admission
from pyinfer.serving.cache_scope import CACHE_SCOPE
from pyinfer.serving.embeddings import embedding_requests, normalised, run_embeddings
from pyinfer.serving.grammar_gate import GrammarGate
from pyinfer.serving.jobs import Job, SharedJobs
from pyinfer.serving.library import delete_model
from pyinfer.serving.loaded_model import Lease
from pyinfer.serving.model_manager import ModelManager
from pyinfer.serving.running_answer import Answer
from pyinfer.serving.settings import ServerSettings
from pyinfer.serving.state import RequestRecord, RunningModel, ServiceStats, SlotState
from pyinfer.serving.text_threads import TextThreads
from pyinfer.store.local import Store
from pyinfer.store.names import is_hub_reference, parse_hub_reference, parse_name
from pyinfer.store.pull import PullEvent, pull
from pyinfer.store.resolve import ResolvedModel

log = logging.getLogger("pyinfer.server")

#: Below it the R1 distills tend to repeat themselves, as their model cards say.
COLD = 0.3

Finish = Callable[[RequestRecord], None]


class Service:
    """Serves models.

    Parameters
    ----------
    settings : ServerSettings

    Raises
    ------
    PyinferError
        A model to be loaded at the start cannot be found.
    """

    def __init__(self, settings: ServerSettings | None = None) -> None:
        self.settings = settings or ServerSettings()
        self.threads = TextThreads()
        self._step_callbacks: list[Callable[[list[int]], None]] = []
        self._finish_callbacks: list[Finish] = []
        self.models = ModelManager(self.settings, self.threads.short, on_steps=self._stepped)
        self._grammars = GrammarGate()
        self._admission = Admission(self.settings.parallel, self.settings.max_queue)
        self._answers: set[Answer] = set()
        self._pulls: SharedJobs[PullEvent] = SharedJobs()
        self._warned: set[str] = set()
        self._waiting = 0
        self._started = False
        self._draining = False
        self._closed = False
        self._drained_at = 0.0
        self._quiet = asyncio.Event()

    @property
    def draining(self) -> bool:
        """Whether new requests are refused because the server is about to end."""
        return self._draining

    @property
    def ready(self) -> bool:
        """Whether a request would be admitted or queued now."""
        if not self._started or self._draining or self._admission.full:
            return False
        if not self._grammars.ready:
            return False
        return all(
            model.process is None or model.process.responsive for model in self.models.loaded
        )

    def retry_after(self) -> int:
        """Seconds after which a client that is refused now may come again, 1 to 60."""
        if self._draining:
            return min(60, max(1, math.ceil(self._drained_at - time.monotonic())))
        return self._admission.retry_after()

    async def start(self) -> None:
        """Load the models that shall be there from the start.

        Raises
        ------
        PyinferError
            One of them cannot be loaded.
        """
        for name in self.settings.preload:
            (await self.models.acquire(name)).release()
        self._started = True

    async def drain(self, grace: float) -> None:
        """Refuse new requests, let the running ones finish for ``grace`` seconds, end everything.

        Those that are still running then end with an error event. May be called again with a
        shorter time.
        """
        self._draining = True
        self._grammars.close()  # what has not begun to run is refused, so it need not be checked
        end = self._drained_at = time.monotonic() + grace
        while self._admission.open and (left := end - time.monotonic()) > 0:
            self._quiet.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), left)
        if self._closed:
            return
        self._closed = True
        for answer in list(self._answers):
            answer.fail(UnavailableError("the server is shutting down"))
        await self.models.close()
        self.threads.close()

    async def generate(self, spec: GenerateSpec) -> Answer:
        """Start a request; everything that can be refused is refused before this returns.

        Raises
        ------
        RequestError, ContextLengthError
            The request is wrong.
        ModelNotFoundError, ModelUnsupportedError, ModelFormatError, InsufficientMemoryError
            The model cannot be loaded.
        QueueFullError, UnavailableError
            Too many requests wait, or the server is about to end.
        """
        self._check_open()
        spec.check()
        spec = self._with_settings(spec)
        # Nameless until a model was found: what clients make up is no label of metrics.
        record = RequestRecord(spec.request_id, "")
        self._admission.enter()
        self._waiting += 1
        try:
            while (answer := await self._try(spec, record)) is None:
                self._check_open()
            return answer
        except BaseException as error:
            self._leave(None, [])
            self._refused(record, error)
            raise
        finally:
            self._waiting -= 1

    def _with_settings(self, spec: GenerateSpec) -> GenerateSpec:
        """The request, with what the server's settings say where it says nothing."""
        settings, budget = self.settings, spec.reasoning_budget
        switches = dict(settings.template_variables)
        found = [switches.pop(name, None) for name in ("enable_thinking", "thinking")]
        think = next((value for value in found if value is not None), None)
        goes_on = spec.continue_final_message
        if goes_on is None and not settings.continue_answers:
            goes_on = False
        return replace(
            spec,
            continue_final_message=goes_on,
            think=think if spec.think is None else spec.think,
            template_variables={**switches, **spec.template_variables},
            params=spec.params.over(settings.sampling),
            reasoning_budget=settings.reasoning_budget if budget is None else budget,
            loop_guard=spec.loop_guard or settings.loop_guard,
            cache_scope=spec.cache_scope or CACHE_SCOPE.get(),
            wall_seconds=settings.wall_seconds if spec.wall_seconds is None else spec.wall_seconds,
        )

    async def _try(self, spec: GenerateSpec, record: RequestRecord) -> Answer | None:
        """Start a request; None if the engine process went away while it waited for its turn."""
        lease = await self.models.acquire(spec.model, spec.keep_alive)
        places: list[int] = []
        gate, process = lease.model.gate, lease.model.process
        assert gate is not None
        assert process is not None
        try:
            record.model = lease.served.name
            record.model_ns = time.perf_counter_ns() - record.arrived_ns
            prepared = await self._prepare(lease, spec)
            entered = time.perf_counter_ns()
            places = await gate.enter(spec.n, self.settings.queue_timeout, spec.priority)
            self._check_open()
            if process.alive:
                self._warn_if_cold(lease, prepared)
                return self._run(lease, prepared, places, record, entered)
        except BaseException:
            gate.leave(places)
            lease.release()
            raise
        gate.leave(places)
        lease.release()
        return None

    async def embed(
        self,
        model: str,
        inputs: Sequence[str | list[int]],
        *,
        dimensions: int | None = None,
        truncate: bool = False,
        context: int | None = None,
        keep_alive: float | None = None,
        request_id: str = "",
    ) -> Embeddings:
        """Vectors of texts or token ids; see :mod:`pyinfer.serving.embeddings`.

        Parameters
        ----------
        model : str
        inputs : sequence of str or list of int
        dimensions : int, optional
            So many values of each vector; they are scaled to length 1 afterwards.
        truncate : bool
            Cut the end of inputs that are too long instead of refusing them.
        context, keep_alive, request_id
            As in :class:`~pyinfer.requests.spec.GenerateSpec`.

        Raises
        ------
        PyinferError
            As :meth:`generate`; besides, the computation may fail.
        """
        self._check_open()
        record = RequestRecord(request_id, "")
        self._admission.enter()
        self._waiting += 1
        waiting = True
        lease: Lease | None = None
        places: list[int] = []
        try:
            lease = await self.models.acquire(model, keep_alive)
            served = lease.served
            record.model = served.name
            record.model_ns = time.perf_counter_ns() - record.arrived_ns
            ready, gate, process = lease.model.ready, lease.model.gate, lease.model.process
            assert ready is not None
            assert gate is not None
            assert process is not None
            if dimensions is not None:
                normalised(np.zeros((1, ready.info.config.hidden_size), np.float32), dimensions)
            work = partial(
                embedding_requests, served, inputs, ready.limits, truncate=truncate, context=context
            )
            requests = await self.threads.run(inputs, work)
            for request in requests:
                request.cache_scope = CACHE_SCOPE.get()
            places = await gate.enter(len(requests), self.settings.queue_timeout)
            self._waiting -= 1
            waiting = False
            record.phase = "prefill"
            vectors, record.cached_tokens = await run_embeddings(process, requests)
            record.prompt_tokens = sum(len(request.tokens) for request in requests)
            record.reason = "stop"
            done = normalised(vectors, dimensions)
            return Embeddings(done, record.prompt_tokens, record.model_ns, served)
        except BaseException as error:
            if isinstance(error, PyinferError):
                record.reason, record.error = "error", error.code
            raise
        finally:
            self._waiting -= waiting
            self._leave(lease, places)
            record.total_ns = time.perf_counter_ns() - record.arrived_ns
            self._tell(record)

    def _leave(self, lease: Lease | None, places: list[int]) -> None:
        """Undo an admission."""
        if lease is not None:
            if places and lease.model.gate is not None:
                lease.model.gate.leave(places)
            lease.release()
        self._admission.leave()
        self._quiet.set()

    def _run(
        self,
        lease: Lease,
        prepared: Prepared,
        places: list[int],
        record: RequestRecord,
        entered: int,
    ) -> Answer:
        for request in prepared.requests:
            request.submitted_ns = entered
        record.prompt_tokens = len(prepared.prompt.token_ids)
        record.truncated_messages = prepared.prompt.truncated_messages
        answer = Answer(lease, prepared, places, record, self._finished)
        self._answers.add(answer)
        return answer

    def _warn_if_cold(self, lease: Lease, prepared: Prepared) -> None:
        """Once per model: a temperature with which it may go round in circles."""
        name, temperature = lease.served.name, prepared.params.temperature
        if temperature is not None and temperature < COLD and name not in self._warned:
            self._warned.add(name)
            text = "%s at temperature %g may repeat itself; --loop-guard ends such answers"
            log.warning(text, name, temperature)

    async def _prepare(self, lease: Lease, spec: GenerateSpec) -> Prepared:
        ready = lease.model.ready
        assert ready is not None
        work = partial(prepare, lease.served, spec, ready.limits, grammar_checked=True)
        prepared = await self.threads.run((spec.messages, spec.prompt, spec.tools), work)
        await self._grammars.check(prepared)
        return prepared

    def _check_open(self) -> None:
        if self._draining:
            raise UnavailableError("the server is shutting down", hint="try again later")

    def _finished(self, answer: Answer) -> None:
        """The engine has ended every sequence of an answer."""
        self._answers.discard(answer)
        gate = answer.lease.model.gate
        assert gate is not None
        gate.leave(answer.places)
        answer.lease.release()
        record = answer.record
        ended = record.reason in ("stop", "length", "tool_calls")
        worked = record.total_ns - record.model_ns - record.queue_ns
        self._admission.leave(worked / 1e9 if ended else None)
        self._quiet.set()
        self._tell(record)

    def _refused(self, record: RequestRecord, error: BaseException) -> None:
        record.total_ns = time.perf_counter_ns() - record.arrived_ns
        if isinstance(error, PyinferError):
            record.reason, record.error = "error", error.code
        self._tell(record)

    def _tell(self, record: RequestRecord) -> None:
        for callback in self._finish_callbacks:
            callback(record)

    def on_finish(self, callback: Finish) -> None:
        """Call ``callback`` with the record of every request that ended or was refused."""
        self._finish_callbacks.append(callback)

    def on_steps(self, callback: Callable[[list[int]], None]) -> None:
        """Call ``callback`` with the token counts of engine steps, some steps at a time."""
        self._step_callbacks.append(callback)

    def _stepped(self, tokens: list[int]) -> None:
        for callback in self._step_callbacks:
            callback(tokens)

    async def load(self, model: str, keep_alive: float | None = None) -> ServedModel:
        """Load a model, without a request; errors as :meth:`generate`."""
        self._check_open()
        lease = await self.models.acquire(model, keep_alive)
        lease.release()
        return lease.served

    async def served(self, model: str) -> ServedModel:
        """A model with its tokenizer and template, loaded if need be; errors as :meth:`load`."""
        return await self.load(model)

    async def unload(self, model: str) -> None:
        """Unload a model now, or when its requests have ended.

        Raises
        ------
        ModelNotFoundError, InvalidNameError
            There is no such model.
        """
        await self.models.unload(model)

    async def resolve(self, model: str) -> ResolvedModel:
        """Find a model by its name without loading it; errors as :meth:`unload`."""
        return await self.models.resolve(model)

    async def pull(self, model: str) -> Job[PullEvent] | None:
        """Bring a model of the hub here; None if it is here. The same pulls share one download.

        Raises
        ------
        ModelNotFoundError, InvalidNameError
            The name is none of the hub.
        """
        try:
            await self.resolve(model)
        except ModelNotFoundError:
            if not is_hub_reference(model):
                raise
        else:
            return None
        name = str(parse_hub_reference(model))

        def start() -> Job[PullEvent]:
            work = partial(_pull, name)
            return Job(work, lambda event: event.file or event.status)

        return self._pulls.get(name.lower(), start)

    async def delete(self, model: str) -> None:
        """Remove a model of the own store, and unload it.

        Raises
        ------
        ModelNotFoundError, InvalidNameError
            There is no such model.
        RequestError
            It is not in the own store.
        """
        name = parse_name(model)
        if await asyncio.to_thread(Store().find, name) is None:
            await self.resolve(model)  # its error
            text = f"{model} is not in the own store, and others are not changed"
            raise bad_value("model", text)
        with contextlib.suppress(PyinferError):
            await self.unload(model)
        try:
            await asyncio.to_thread(delete_model, model)
        except ModelNotFoundError:
            raise ModelNotFoundError(f"model '{model}' not found") from None

    def known(self) -> list[ResolvedModel]:
        """Models that are served besides those of the stores."""
        return self.models.known()

    def running(self) -> list[RunningModel]:
        """Loaded models."""
        return [model.state() for model in self.models.loaded]

    def slots(self, model: str = "") -> list[SlotState]:
        """Every place for a running sequence, of all models or one (by its full name)."""
        slots: list[SlotState] = []
        for loaded in self.models.loaded:
            if loaded.gate is None or (model and loaded.name != model):
                continue
            busy = {
                state.id: state
                for answer in self._answers
                if answer.lease.model is loaded
                for state in answer.slots()
            }
            slots += [
                busy.get(place) or SlotState(place, loaded.name)
                for place in range(loaded.gate.places)
            ]
        return slots

    def stats(self) -> ServiceStats:
        """Counters as of now."""
        models = [model.stats() for model in self.models.loaded if model.ready is not None]
        return ServiceStats(models, len(self._answers), self._waiting)


def _pull(name: str, tell: Callable[[PullEvent], None]) -> None:
    pull(name, progress=tell)
