"""The runtime: chosen kernels, worker threads and how decode walks memory."""

from typing import Any

ISAS: tuple[str, ...]
MAX_THREADS: int

def available_isas() -> tuple[str, ...]:
    """Levels that this CPU and this build can run, ascending."""

def cpu_name() -> str:
    """Brand string of the processor."""

def choose_isa(isa: str | None = None) -> str:
    """Level to run: ``isa``, else the environment variable ``PYINFER_ISA``, else the highest.

    Raises
    ------
    UsageError
        The name is no level.
    UnsupportedCPUError
        The CPU or the build does not have it.
    """

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
        Highest instruction set level to use; see :func:`choose_isa`.
    threads : int, optional
        Workers, the caller included; default: every CPU of the affinity mask.

    Raises
    ------
    UsageError, UnsupportedCPUError
        As :func:`choose_isa`; threads out of range.
    InsufficientMemoryError
        The system refused a thread or memory.
    """

    isa: str
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
