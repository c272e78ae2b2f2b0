"""The runtime: chosen kernels, worker threads and how decode walks memory."""

from typing import Any, NamedTuple

class Level(NamedTuple):
    """An instruction set level of this kind of processor: a named set of CPU features.

    Attributes
    ----------
    name : str
        Token, for ``--isa``, ``PYINFER_ISA`` and the names of kernels.
    description : str
        What it computes with, for people.
    built : bool
        Whether the compiler of this build could make its kernels.
    missing : tuple of str
        Features that it needs and that this CPU, or its operating system, does not have.
    """

    name: str
    description: str
    built: bool
    missing: tuple[str, ...]

    @property
    def problem(self) -> str:
        """Why it cannot run here; empty if it can."""

class IsaChoice(NamedTuple):
    """The level that runs, why, and whether somebody asked for it by name."""

    name: str
    reason: str
    asked: bool

LEVELS: tuple[Level, ...]
"""All levels of this kind of processor, in order of preference; the last is scalar."""

ISAS: tuple[str, ...]
"""Their names."""

MAX_THREADS: int

def available_isas() -> tuple[str, ...]:
    """Names of the levels that this CPU and this build can run, in order of preference."""

def cpu_name() -> str:
    """Brand string of the processor."""

def isa_choice(isa: str | None = None) -> IsaChoice:
    """Level to run: ``isa``, else the environment variable ``PYINFER_ISA``, else the best one.

    The reason of a level that nobody asked for says what the better ones lack.

    Raises
    ------
    UsageError
        The name is no level of this kind of processor.
    UnsupportedCPUError
        The CPU or the build does not have it.
    """

def choose_isa(isa: str | None = None) -> str:
    """Name of the level of :func:`isa_choice`; raises as it does."""

class CancelFlag:
    """A flag polled by a running step. ``set`` is safe from any thread and signal handler."""

    def set(self) -> None: ...
    def clear(self) -> None: ...
    def is_set(self) -> bool: ...

class Runtime:
    """Kernel table and thread pool; used by one calling thread at a time.

    Parameters
    ----------
    isa : str, optional
        Instruction set level; see :func:`isa_choice`.
    threads : int, optional
        Workers, the caller included; default: every CPU of the affinity mask.

    Raises
    ------
    UsageError, UnsupportedCPUError
        As :func:`isa_choice`; threads out of range.
    InsufficientMemoryError
        The system refused a thread or memory.
    """

    isa: str
    isa_reason: str
    threads: int
    walk: tuple[int, int, int]
    """(streams per worker, bytes prefetched ahead into L1, into L2); never changes results."""

    def __init__(self, isa: str | None = None, threads: int | None = None) -> None: ...
    def read_bandwidth(self, data: Any, walk: tuple[int, int, int] | None = None) -> float:
        """Bytes per second of one pass over ``data`` (uint8, 64-byte aligned) on all workers."""

    def peak_rate(self, kind: str, rounds: int = 1_000_000) -> float:
        """Operations per second of one pass of multiply-adds (two operations each).

        ``kind`` is ``"int8"`` (dot products) or ``"f32"`` (fused multiply-add).
        """
