"""What goes between the server and an engine's process besides the engine's own messages.

The server sends one :class:`LoadOrder`, then requests, cancellations and pauses, None to end. The
process answers with :class:`Loading`, then :class:`Ready` or :class:`LoadFailed`, then lists of
engine events (those of a step together, now and then with a :class:`Snapshot` before them) and,
without any step, a :class:`Snapshot` now and then.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.config import GenerationDefaults
from pyinfer.engine.limits import EngineLimits
from pyinfer.engine.messages import Cancel, Event, Pause, Request
from pyinfer.errors import PyinferError
from pyinfer.model_info import ModelInfo
from pyinfer.serving.state import EngineStats
from pyinfer.store.resolve import ResolvedModel


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """Which model to load and how.

    Attributes
    ----------
    model : ResolvedModel
    options : LoadOptions
    max_running : int
        Most sequences at once.
    reserved : int
        Bytes of the available memory that others have been promised.
    """

    model: ResolvedModel
    options: LoadOptions = field(default_factory=LoadOptions)
    max_running: int = 32
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Loading:
    """``done`` of ``total`` bytes are loaded."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded; requests may come.

    Attributes
    ----------
    info : ModelInfo
    defaults : GenerationDefaults
    limits : EngineLimits
    max_running : int
        Most sequences that run at once.
    pool_bytes : int
        Memory of the whole key/value cache; committed only as it is used.
    memory : int
        Bytes of physical memory that the process holds now.
    """

    info: ModelInfo
    defaults: GenerationDefaults
    limits: EngineLimits
    max_running: int
    pool_bytes: int
    memory: int


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """The model cannot be loaded."""

    error: PyinferError


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State of the process.

    Attributes
    ----------
    stats : EngineStats
    memory : int
        Bytes of physical memory that the process holds.
    step_seconds : float
        For how long the running step has not ended; 0 when there is nothing to do.
    step_tokens : list of int
        Tokens of each step since the last snapshot.
    """

    stats: EngineStats
    memory: int
    step_seconds: float
    step_tokens: list[int] = field(default_factory=list)


ToChild = LoadOrder | Request | Cancel | Pause | None
FromChild = Loading | Ready | LoadFailed | Snapshot | list[Snapshot | Event]
