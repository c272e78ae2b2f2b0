"""One model that is loaded or being loaded: who uses it, its engine process, its text side."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pyinfer.requests.preset import Preset
from pyinfer.requests.spec import ServedModel
from pyinfer.serving.admission import Gate
from pyinfer.serving.engine_messages import Ready
from pyinfer.serving.engine_process import EngineProcess
from pyinfer.serving.state import ModelStats, RunningModel
from pyinfer.store.resolve import ResolvedModel
from pyinfer.text.chat_template import ChatTemplate
from pyinfer.text.tokenizer import Tokenizer

BLOCK_TOKENS = 64


class LoadedModel:
    """State of one model; changed by the manager on the event loop.

    Parameters
    ----------
    resolved : ResolvedModel
    keep_alive : float
        Seconds that it stays after its last request; negative is for ever.

    Attributes
    ----------
    users : int
        Requests that wait for it or run on it.
    used_at : float
        Monotonic time of its last use.
    task : asyncio.Task or None
        Loads it.
    process : EngineProcess or None
    gate : Gate or None
        Places for running sequences, once it is loaded.
    """

    def __init__(self, resolved: ResolvedModel, keep_alive: float) -> None:
        self.resolved = resolved
        self.keep_alive = keep_alive
        self.users = 0
        self.used_at = time.monotonic()
        self.task: asyncio.Task[None] | None = None
        self.process: EngineProcess | None = None
        self.gate: Gate | None = None
        self.ready: Ready | None = None
        self._tokenizer: Tokenizer | None = None
        self._templates: dict[str, ChatTemplate | None] = {}
        self._template_lock = threading.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._expires_at: float | None = None
        self._progress = 0.0

    @property
    def key(self) -> str:
        """What identifies it."""
        return str(self.resolved.path)

    @property
    def name(self) -> str:
        """For people."""
        return self.resolved.name

    @property
    def loaded(self) -> bool:
        """Whether requests may run."""
        return self.ready is not None

    @property
    def uncommitted(self) -> int:
        """Bytes that its cache may still take beyond the memory that it holds."""
        if self.ready is None or self.process is None:
            return 0
        taken = self.process.memory - self.ready.memory
        return max(0, self.ready.pool_bytes - max(0, taken))

    def use(self) -> None:
        """One more request wants it."""
        self.users += 1
        self.used_at = time.monotonic()
        self.stop_timer()

    def release(self) -> None:
        """One request less."""
        self.users -= 1
        self.used_at = time.monotonic()

    def expire_after(self, seconds: float, expire: Callable[[], None]) -> None:
        """Call ``expire`` after so long without use."""
        self.stop_timer()
        self._expires_at = time.time() + seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, expire)

    def stop_timer(self) -> None:
        """Do not expire."""
        self._expires_at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def progressed(self, done: int, total: int) -> None:
        """Note how far loading is."""
        self._progress = done / total if total else 0.0

    def become_ready(self, ready: Ready, tokenizer: Tokenizer) -> None:
        """The process has loaded the model."""
        self.ready = ready
        self.gate = Gate(ready.max_running)
        self._tokenizer = tokenizer
        self._progress = 1.0

    def served(self, resolved: ResolvedModel) -> ServedModel:
        """The model as a request by one of its names sees it; reads the clock of its files."""
        ready, tokenizer = self.ready, self._tokenizer
        assert ready is not None
        assert tokenizer is not None
        preset = Preset.of(resolved)
        try:
            created = int(resolved.path.stat().st_mtime)
        except OSError:
            created = 0
        return ServedModel(
            name=resolved.name,
            path=resolved.path,
            info=ready.info,
            tokenizer=tokenizer,
            template=self._template(tokenizer, preset.template),
            defaults=ready.defaults,
            preset=preset,
            digest=resolved.digest,
            context=ready.limits.context,
            created=created,
        )

    def _template(self, tokenizer: Tokenizer, source: str) -> ChatTemplate | None:
        with self._template_lock:
            if source not in self._templates:
                exists = bool(source) or tokenizer.chat_template is not None
                made = ChatTemplate(tokenizer, source or None) if exists else None
                self._templates[source] = made
            return self._templates[source]

    def stats(self) -> ModelStats:
        """Counters; the model is loaded."""
        ready, process, gate = self.ready, self.process, self.gate
        assert ready is not None
        assert process is not None
        assert gate is not None
        return ModelStats(
            name=self.name,
            engine=process.stats,
            memory=process.memory,
            block_size=BLOCK_TOKENS,
            threads=ready.info.threads,
            isa=ready.info.isa,
            waiting=gate.waiting,
        )

    def state(self) -> RunningModel:
        """For ``/api/ps``."""
        return RunningModel(
            name=self.name,
            path=self.resolved.path,
            info=self.ready.info if self.ready else None,
            memory=self.process.memory if self.process else 0,
            expires_at=self._expires_at,
            context=self.ready.limits.context if self.ready else 0,
            requests=self.users,
            progress=self._progress,
        )


@dataclass(slots=True)
class Lease:
    """Keeps a model loaded until it is released.

    Attributes
    ----------
    model : LoadedModel
    served : ServedModel
    load_ns : int
        Nanoseconds that were spent waiting for the model to load; 0 if it was loaded.
    """

    model: LoadedModel
    served: ServedModel
    load_ns: int
    _release: Callable[[LoadedModel], None] | None

    def release(self) -> None:
        """Give it back. May be repeated."""
        release, self._release = self._release, None
        if release is not None:
            release(self.model)
