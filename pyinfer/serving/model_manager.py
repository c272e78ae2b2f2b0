"""Which models are loaded: by name, on demand, for as long as they are wanted, as far as fits.

Everything here runs on the event loop; files are read in threads. A model is known by the path of
its files, so that several names of one model share one engine process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from pyinfer.checkpoint.loader import model_need
from pyinfer.errors import (
    EngineError,
    InsufficientMemoryError,
    ModelUnsupportedError,
    PyinferError,
    QueueFullError,
)
from pyinfer.loading import read_tokenizer
from pyinfer.machine import available_memory
from pyinfer.serving.engine_messages import LoadOrder
from pyinfer.serving.engine_process import EngineProcess
from pyinfer.serving.loaded_model import Lease, LoadedModel
from pyinfer.serving.settings import ServerSettings
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.store.resolve import ResolvedModel, resolve_model, resolve_name

log = logging.getLogger("pyinfer.server")

DEMO_NAME = "demo"
DEMO_NAMES = (DEMO_NAME, "pyinfer-demo")

_T = TypeVar("_T")
StartProcess = Callable[..., EngineProcess]


class ModelManager:
    """Loads and unloads models.

    Parameters
    ----------
    settings : ServerSettings
    threads : ThreadPoolExecutor
        For everything that reads files.
    start : callable
        Makes an :class:`EngineProcess`; replaced in tests.
    on_steps : callable, optional
        Called with the token counts of steps.
    """

    def __init__(
        self,
        settings: ServerSettings,
        threads: ThreadPoolExecutor,
        start: StartProcess = EngineProcess,
        on_steps: Callable[[list[int]], None] | None = None,
    ) -> None:
        self._settings = settings
        self._threads = threads
        self._start = start
        self._on_steps = on_steps
        self._models: dict[str, LoadedModel] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._load_turn = asyncio.Lock()
        self._idle = asyncio.Event()
        self._known = _known_models(settings)
        self.default = settings.preload[0] if settings.preload else DEMO_NAME

    @property
    def default_name(self) -> str:
        """The model that a request without a name gets; never a path."""
        return self._known[self.default.lower()].name

    @property
    def loaded(self) -> list[LoadedModel]:
        """Models that are loaded or being loaded."""
        return list(self._models.values())

    def known(self) -> list[ResolvedModel]:
        """Models that are served whatever the stores hold: those of the start, the embedded one."""
        return list({model.name: model for model in self._known.values()}.values())

    async def resolve(self, name: str) -> ResolvedModel:
        """Find a model by the name that a client gave; never by a path.

        Raises
        ------
        ModelNotFoundError, InvalidNameError, ModelFormatError
            As :func:`pyinfer.store.resolve.resolve_name`.
        """
        wanted = (name or self.default).lower()
        known = self._known.get(wanted) or self._known.get(wanted.removesuffix(":latest"))
        if known is None and self._settings.any_name:
            known = self._known[self.default.lower()]
        return known if known is not None else await self._in_thread(resolve_name, name)

    async def acquire(self, name: str, keep_alive: float | None = None) -> Lease:
        """Load a model if need be and keep it until the lease is released.

        Parameters
        ----------
        name : str
        keep_alive : float, optional
            Seconds that it stays after its last request from now on; None changes nothing.

        Raises
        ------
        ModelNotFoundError, ModelFormatError, ModelUnsupportedError, StoreIOError
            It is not there or cannot be run.
        InsufficientMemoryError
            It does not fit the memory, also without the idle ones.
        QueueFullError
            Too many models are busy, and none became idle in time.
        EngineError
            Its process ended while loading.
        """
        arrived = time.perf_counter_ns()
        resolved = await self.resolve(name)
        key = str(resolved.path)
        model = self._models.get(key)
        waited = model is None or not model.loaded
        if model is None:
            model = LoadedModel(resolved, self._settings.keep_alive)
            self._models[key] = model
            model.task = asyncio.create_task(self._load(model))
            model.task.add_done_callback(_look_at)
        if keep_alive is not None:
            model.keep_alive = keep_alive
        model.use()
        try:
            await _loaded(model)
            served = await self._in_thread(model.served, resolved)
        except BaseException:
            self._released(model)
            raise
        load_ns = time.perf_counter_ns() - arrived if waited else 0
        return Lease(model, served, load_ns, self._released)

    async def unload(self, name: str) -> None:
        """Unload a model now, or as soon as its requests have ended.

        Raises
        ------
        ModelNotFoundError, InvalidNameError, ModelFormatError
            There is no such model. One that is not loaded is no error.
        """
        resolved = await self.resolve(name)
        model = self._models.get(str(resolved.path))
        if model is None:
            return
        model.keep_alive = 0.0
        if not model.users:
            await self._unload(model)

    async def close(self) -> None:
        """Unload everything, busy or not."""
        for model in self.loaded:
            self._forget(model)
        while self._closing:
            await asyncio.wait(self._closing)

    def _released(self, model: LoadedModel) -> None:
        """A request ended."""
        model.release()
        if model.users or self._models.get(model.key) is not model:
            return
        self._idle.set()
        if not model.loaded:
            return
        if model.keep_alive == 0:
            self._forget(model)
        elif model.keep_alive > 0:
            model.expire_after(model.keep_alive, partial(self._expire, model))

    def _expire(self, model: LoadedModel) -> None:
        if not model.users:
            log.info("unloading %s: unused for %g s", model.name, model.keep_alive)
            self._forget(model)

    async def _unload(self, model: LoadedModel) -> None:
        task = self._forget(model)
        if task is not None:
            await asyncio.shield(task)

    def _forget(self, model: LoadedModel) -> asyncio.Task[None] | None:
        """Take a model out and end its process; new requests load it again."""
        if self._models.get(model.key) is not model:
            return None
        del self._models[model.key]
        model.stop_timer()
        self._idle.set()
        task = model.task
        if task is not None and not task.done() and task is not asyncio.current_task():
            task.cancel()
        if model.process is None:
            return None
        closing = asyncio.create_task(model.process.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closed)
        return closing

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        _look_at(task)
        self._idle.set()

    async def _load(self, model: LoadedModel) -> None:
        """Make room, start the process and wait until it is ready."""
        try:
            async with self._load_turn:
                await self._load_now(model)
        except BaseException as error:
            self._forget(model)
            if isinstance(error, PyinferError):
                log.warning("cannot load %s: %s", model.name, error)
            raise
        if not model.users:
            # Everybody who wanted it has gone.
            model.use()
            self._released(model)

    async def _load_now(self, model: LoadedModel) -> None:
        settings, path, load = self._settings, model.resolved.path, self._settings.load
        dtype = load.dtype if path.is_dir() else None
        need = await self._in_thread(model_need, path, dtype)
        await self._make_room(model, need.memory)
        context = load.ctx_size
        context = None if context is None else min(context, need.config.max_position)
        options = replace(load, dtype=dtype, ctx_size=context)
        log.info("loading %s: needs at least %.2f GB", model.name, need.memory / 1e9)
        model.process = self._start(
            LoadOrder(model.resolved, options, settings.parallel, self._uncommitted()),
            on_exit=partial(self._crashed, model),
            on_progress=model.progressed,
            on_steps=self._on_steps,
        )
        tokenizer, _ = await self._in_thread(read_tokenizer, path, load.pre)
        ready = await asyncio.shield(model.process.ready)
        if tokenizer is None:
            raise ModelUnsupportedError(
                f"{model.name} has no tokenizer", hint="put tokenizer.json into its folder"
            )
        model.become_ready(ready, tokenizer)
        for line in ready.info.report:
            log.info("%s: %s", model.name, line)

    async def _make_room(self, model: LoadedModel, needed: int) -> None:
        """Unload idle models, the least recently used first, until the new one may come."""
        end = asyncio.get_running_loop().time() + self._settings.queue_timeout
        while True:
            self._idle.clear()
            if self._closing:
                # A load that is cancelled here must not take the end of a process along.
                await asyncio.wait(self._closing)
                continue
            others = [other for other in self._models.values() if other.process is not None]
            available = available_memory() - self._uncommitted()
            crowded = len(others) >= self._settings.max_models
            if not crowded and needed <= available:
                return
            idle = [other for other in others if not other.users and other.loaded]
            if idle:
                oldest = min(idle, key=lambda other: other.used_at)
                log.info("unloading %s to make room for %s", oldest.name, model.name)
                await self._unload(oldest)
                continue
            left = end - asyncio.get_running_loop().time()
            if left <= 0 or not others:
                raise _no_room(model, needed, available, crowded, len(others))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), left)

    def _uncommitted(self) -> int:
        """Memory that the caches of loaded models may still take."""
        return sum(model.uncommitted for model in self._models.values())

    def _crashed(self, model: LoadedModel, error: PyinferError) -> None:
        log.error("%s: %s; its requests fail, the next one loads it again", model.name, error)
        self._forget(model)

    async def _in_thread(self, function: Callable[..., _T], *arguments: Any) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *arguments))


async def _loaded(model: LoadedModel) -> None:
    """Wait for the load; who gives up waiting does not end it."""
    task, own = model.task, asyncio.current_task()
    assert task is not None
    assert own is not None
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if task.cancelled() and not own.cancelling():
            raise EngineError(
                f"{model.name} was unloaded while it was loading", hint="send the request again"
            ) from None
        raise


def _look_at(task: asyncio.Task[None]) -> None:
    """Whoever waited for the task may have gone; an error of a load is in the log."""
    if not task.cancelled():
        task.exception()


def _no_room(
    model: LoadedModel, needed: int, available: int, crowded: bool, others: int
) -> PyinferError:
    if crowded:
        return QueueFullError(
            f"{others} models are busy, which is the limit, and none became idle in time",
            hint="try again later or raise the limit of loaded models",
        )
    return InsufficientMemoryError(
        f"{model.name} needs at least {needed / 1e9:.2f} GB, {max(available, 0) / 1e9:.2f} GB "
        f"are available" + (f" beside {others} busy models" if others else ""),
        hint="use a smaller format or model, or try again later",
    )


def _known_models(settings: ServerSettings) -> dict[str, ResolvedModel]:
    """Models by the names that are always served."""
    demo = ResolvedModel(DEMO_NAME, DEMO_FOLDER, "path")
    known = dict.fromkeys(DEMO_NAMES, demo)
    for number, text in enumerate(settings.preload):
        model = demo if text.lower() in known else resolve_model(text)
        if model.source == "path" and model is not demo:
            stem = model.path.name.removesuffix(".gguf")
            name = settings.alias if number == 0 and settings.alias else stem
            model = replace(model, name=name)
        if number == 0 and settings.template is not None:
            chosen = replace(model.settings, template=settings.template)
            model = replace(model, settings=chosen)
        if model.source == "path":
            known.setdefault(model.path.name.removesuffix(".gguf").lower(), model)
        known[text.lower()] = model
        known[model.name.lower()] = model
        if number == 0 and settings.alias:
            known[settings.alias.lower()] = model
    return known
