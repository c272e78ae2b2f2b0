"""Loading, keeping and unloading models, on processes that only pretend."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pyinfer.checkpoint.loader import model_need
from pyinfer.config import GenerationDefaults
from pyinfer.engine.limits import EngineLimits
from pyinfer.errors import (
    EngineError,
    InsufficientMemoryError,
    ModelNotFoundError,
    PyinferError,
    QueueFullError,
)
from pyinfer.model_info import ModelInfo
from pyinfer.serving import model_manager
from pyinfer.serving.engine_messages import LoadOrder, Ready
from pyinfer.serving.model_manager import ModelManager
from pyinfer.serving.settings import ServerSettings
from pyinfer.serving.state import EngineStats

from ..checkpoints import random_config, write_folder
from ..vocabulary import N_TOKENS
from .services import run, until


class FakeProcess:
    """Is ready at once, or when told; counts."""

    def __init__(
        self,
        order: LoadOrder,
        *,
        on_exit: Callable[[PyinferError], None],
        on_progress: Callable[[int, int], None],
        on_steps: object,
    ) -> None:
        self.order = order
        self.on_exit = on_exit
        self.stats = EngineStats()
        self.memory = 1000
        self.closed = False
        self.ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self.pool_bytes = 0
        on_progress(1, 2)

    def become_ready(self) -> None:
        config = model_need(self.order.model.path).config
        info = ModelInfo(self.order.model.name, config, 100, 1, "none", 1, 1, 1, 1, ())
        limits = EngineLimits(config.vocab_size, config.vocab_size, 100)
        if not self.ready.done():
            self.ready.set_result(
                Ready(info, GenerationDefaults(), limits, 4, self.pool_bytes, 1000)
            )

    def crash(self) -> None:
        self.closed = True
        self.on_exit(EngineError("the engine process ended: killed by SIGKILL"))

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed = True
        if not self.ready.done():  # as the real one: nobody waits for what has been closed
            self.ready.set_exception(EngineError("closed while it was loading"))
            self.ready.exception()


class Starter:
    """Starts fake processes; ``automatic`` makes them ready."""

    def __init__(self) -> None:
        self.started: list[FakeProcess] = []
        self.automatic = True
        self.pool_bytes = 0

    def __call__(self, order: LoadOrder, **callbacks: Any) -> Any:
        process = FakeProcess(order, **callbacks)
        process.pool_bytes = self.pool_bytes
        self.started.append(process)
        if self.automatic:
            process.become_ready()
        return process

    @property
    def alive(self) -> list[FakeProcess]:
        return [process for process in self.started if not process.closed]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three small models."""
    paths = []
    for number in range(3):
        path = tmp_path_factory.mktemp("models") / f"model-{number}"
        write_folder(path, random_config(vocab=N_TOKENS + 3), with_tokenizer=True, seed=number)
        paths.append(path)
    return paths


def manage(folders: list[Path], work: Callable[..., Any], **settings: Any) -> None:
    """Run ``work(manager, starter)``."""

    async def inside() -> None:
        starter = Starter()
        threads = ThreadPoolExecutor(2)
        preload = tuple(str(path) for path in folders)
        options = ServerSettings(**{"preload": preload, "queue_timeout": 0.05, **settings})
        manager = ModelManager(options, threads, starter)
        try:
            await work(manager, starter)
        finally:
            await manager.close()
            threads.shutdown()
        assert starter.alive == []
        assert manager.loaded == []

    run(inside)


def test_names(folders: list[Path]) -> None:
    async def work(manager: ModelManager, starter: Starter) -> None:
        for name in ("", "model-0", "MODEL-0:latest", "mine"):
            resolved = await manager.resolve(name)
            assert resolved.path == folders[0]
        assert (await manager.resolve("pyinfer-demo")).name == "demo"
        assert {model.name for model in manager.known()} == {"demo", "mine", "model-1", "model-2"}
        with pytest.raises(ModelNotFoundError):
            await manager.resolve("other")

    manage(folders, work, alias="mine")


def test_names_of_clients_are_never_paths(folders: list[Path]) -> None:
    async def work(manager: ModelManager, starter: Starter) -> None:
        for path in (folders[1], folders[1].parent, Path("/etc/passwd")):
            with pytest.raises(PyinferError):
                await manager.resolve(str(path))

    manage(folders[:1], work)


def test_requests_at_once_share_one_load(folders: list[Path]) -> None:
    async def work(manager: ModelManager, starter: Starter) -> None:
        starter.automatic = False
        waiting = [asyncio.create_task(manager.acquire("model-0")) for _ in range(5)]
        await until(lambda: starter.started)
        waiting[0].cancel()
        state = manager.loaded[0].state()
        assert (state.progress, state.info) == (0.5, None)
        starter.started[0].become_ready()
        leases = await asyncio.gather(*waiting[1:])
        assert len(starter.started) == 1
        assert manager.loaded[0].users == 4
        assert all(lease.load_ns > 0 for lease in leases)
        again = await manager.acquire("model-0")
        assert again.load_ns == 0
        for lease in (*leases, again, again):
            lease.release()
        assert manager.loaded[0].users == 0

    manage(folders, work)


def test_keep_alive(folders: list[Path]) -> None:
    async def work(manager: ModelManager, starter: Starter) -> None:
        (await manager.acquire("model-0", 0.0)).release()
        assert manager.loaded == []
        (await manager.acquire("model-0", 0.02)).release()
        assert manager.loaded[0].state().expires_at is not None
        lease = await manager.acquire("model-0")
        await asyncio.sleep(0.05)
        assert len(manager.loaded) == 1  # the time counts from the end of the last request
        lease.release()
        await until(lambda: not manager.loaded)
        (await manager.acquire("model-0", -1.0)).release()
        assert manager.loaded[0].state().expires_at is None
        lease = await manager.acquire("model-0")
        await manager.unload("model-0")
        assert len(manager.loaded) == 1
        lease.release()
        assert manager.loaded == []
        await manager.unload("model-1")
        with pytest.raises(ModelNotFoundError):
            await manager.unload("other")

    manage(folders, work)


def test_the_least_recently_used_idle_model_makes_room(folders: list[Path]) -> None:
    async def work(manager: ModelManager, starter: Starter) -> None:
        busy = await manager.acquire("model-0")
        (await manager.acquire("model-1")).release()
        third = await manager.acquire("model-2")
        assert [model.name for model in manager.loaded] == ["model-0", "model-2"]
        with pytest.raises(QueueFullError, match="2 models are busy"):
            await manager.acquire("model-1")
        waiting = asyncio.create_task(manager.acquire("model-1"))
        await asyncio.sleep(0.01)
        third.release()
        (await waiting).release()
        assert [model.name for model in manager.loaded] == ["model-0", "model-1"]
        busy.release()

    manage(folders, work, max_models=2, queue_timeout=2.0)


def test_memory(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    needed = model_need(folders[0]).memory
    monkeypatch.setattr(model_manager, "available_memory", lambda: needed + 500)

    async def work(manager: ModelManager, starter: Starter) -> None:
        starter.pool_bytes = 501  # promised to the first one
        lease = await manager.acquire("model-0")
        with pytest.raises(InsufficientMemoryError, match="beside 1 busy"):
            await manager.acquire("model-1")
        lease.release()
        (await manager.acquire("model-1")).release()
        assert [model.name for model in manager.loaded] == ["model-1"]
        monkeypatch.setattr(model_manager, "available_memory", lambda: needed - 1)
        with pytest.raises(InsufficientMemoryError, match="needs at least"):
            await manager.acquire("model-2")
        assert manager.loaded == []

    manage(folders, work)


def test_failed_loads_and_crashes(folders: list[Path]) -> None:
    async def work(manager: ModelManager, starter: Starter) -> None:
        starter.automatic = False
        waiting = [asyncio.create_task(manager.acquire("model-0")) for _ in range(2)]
        await until(lambda: starter.started)
        starter.started[0].ready.set_exception(EngineError("no"))
        for task in waiting:
            with pytest.raises(EngineError):
                await task
        assert manager.loaded == []
        starter.automatic = True
        lease = await manager.acquire("model-0")
        starter.started[1].crash()
        assert manager.loaded == []
        again = await manager.acquire("model-0")
        lease.release()
        assert again.model.users == 1
        again.release()
        assert len(starter.started) == 3

    manage(folders, work)


@pytest.mark.parametrize("seed", range(4))
def test_random_steps(folders: list[Path], seed: int) -> None:
    """Requests, cancellations, unloads and crashes at random moments."""
    rng = random.Random(seed)

    async def request(manager: ModelManager) -> None:
        keep_alive = rng.choice((None, 0.0, 0.002, -1.0))
        try:
            async with asyncio.timeout(rng.choice((0.001, 0.01, 1.0))):
                lease = await manager.acquire(f"model-{rng.randrange(3)}", keep_alive)
        except (TimeoutError, PyinferError):
            return
        assert lease.model.loaded
        await asyncio.sleep(rng.random() * 0.004)
        lease.release()

    async def work(manager: ModelManager, starter: Starter) -> None:
        starter.automatic = False
        tasks: set[asyncio.Task[None]] = set()
        for _ in range(300):
            action = rng.random()
            if action < 0.6:
                tasks.add(asyncio.create_task(request(manager)))
            elif action < 0.7:
                tasks.add(asyncio.create_task(manager.unload(f"model-{rng.randrange(3)}")))
            elif action < 0.75 and (alive := starter.alive):
                process = rng.choice(alive)
                if process.ready.done():
                    process.crash()
            for process in starter.alive:
                if rng.random() < 0.5:
                    process.become_ready()
            await asyncio.sleep(rng.choice((0, 0, 0.001)))
            assert len([m for m in manager.loaded if m.loaded]) <= 2
            assert all(model.users >= 0 for model in manager.loaded)
        starter.automatic = True
        while not all(task.done() for task in tasks):
            for process in starter.alive:
                process.become_ready()
            await asyncio.sleep(0.001)
        for task in tasks:
            task.result()
        assert all(model.users == 0 for model in manager.loaded)
        # A load whose requests have all given up may still start its process.
        await until(lambda: set(starter.alive) <= {model.process for model in manager.loaded})

    manage(folders, work, max_models=2)
