# Kernel table, thread pool and walk parameters of one process-local runtime. Documented in
# runtime.pyi.
from libc.stdint cimport int32_t, uint8_t, uint32_t, uintptr_t

from pyinfer._kernels cimport c_api as c
from pyinfer._kernels cimport c_runtime as r
from pyinfer._kernels.status cimport check_status

import os
from typing import NamedTuple

from pyinfer.errors import EngineError, UnsupportedCPUError, UsageError

cdef extern from *:
    """
    #include <stdatomic.h>
    /* Workers poll the flag while Python threads and signal handlers change it. */
    static void pi_flag_store(int32_t *flag, int32_t value) {
        atomic_store((_Atomic int32_t *)flag, value);
    }
    static int32_t pi_flag_load(int32_t *flag) { return atomic_load((_Atomic int32_t *)flag); }
    """
    void pi_flag_store(int32_t *flag, int32_t value) noexcept nogil
    int32_t pi_flag_load(int32_t *flag) noexcept nogil

MAX_THREADS = 1024


class Level(NamedTuple):
    name: str
    description: str
    built: bool
    missing: tuple

    @property
    def problem(self):
        if self.missing:
            return f"this CPU lacks {', '.join(self.missing)}"
        return "" if self.built else "not in this build"


class IsaChoice(NamedTuple):
    name: str
    reason: str
    asked: bool


cdef _levels():
    cdef uint32_t features = c.pi_cpu_features()
    cdef size_t count, i
    cdef unsigned int bit
    cdef const c.pi_level *table = c.pi_levels(&count)
    found = []
    for i in range(count):
        missing = [c.pi_cpu_feature_name(bit).decode() for bit in range(32)
                   if (table[i].needs & ~features) >> bit & 1]
        found.append(Level(table[i].name.decode(), table[i].description.decode(),
                           table[i].fill is not NULL, tuple(missing)))
    return tuple(found)


LEVELS = _levels()
ISAS = tuple([level.name for level in LEVELS])


def available_isas():
    return tuple([level.name for level in LEVELS if not level.problem])


def cpu_name():
    cdef char name[c.PI_CPU_NAME_BYTES]
    c.pi_cpu_name(name)
    return " ".join((<bytes>name).decode("ascii", "replace").split()) or "unknown CPU"


def isa_choice(isa=None):
    source = "isa"
    if isa is None:
        isa, source = os.environ.get("PYINFER_ISA") or None, "PYINFER_ISA"
    available = available_isas()
    hint = f"use one of: {', '.join(available)}"
    if isa is None:
        better = LEVELS[:ISAS.index(available[0])]
        reason = "; ".join([f"{level.name}: {level.problem}" for level in better])
        return IsaChoice(available[0], reason or "the best there is", False)
    if isa not in ISAS:
        raise UsageError(f"{source}={isa!r} is no instruction set level here", hint=hint)
    if isa not in available:
        raise UnsupportedCPUError(f"{source}={isa}: {LEVELS[ISAS.index(isa)].problem}", hint=hint)
    return IsaChoice(isa, f"{source}={isa}", True)


def choose_isa(isa=None):
    return isa_choice(isa).name


def check_walk(value):
    n_streams, near, far = value
    if n_streams not in (1, 2, 4) or not 0 <= near <= 1 << 20 or not 0 <= far <= 1 << 20:
        raise ValueError(f"walk {value!r}: 1, 2 or 4 streams, prefetch up to 1 MiB ahead")
    return n_streams, near, far


cdef class CancelFlag:
    def set(self):
        pi_flag_store(&self.value, 1)

    def clear(self):
        pi_flag_store(&self.value, 0)

    def is_set(self):
        return pi_flag_load(&self.value) != 0


cdef class Runtime:
    def __init__(self, isa=None, threads=None):
        if self.handle is not NULL:
            raise ValueError("a Runtime is initialised once")
        choice = isa_choice(isa)
        self.isa = choice.name
        self.isa_reason = choice.reason
        cdef size_t count = r.pi_cpu_count()
        if threads is not None:
            if not 1 <= threads <= MAX_THREADS:
                raise UsageError(f"threads={threads} is out of range",
                                 hint=f"use 1 to {MAX_THREADS}")
            count = threads
        check_status(r.pi_runtime_create(&self.handle, c.pi_level_find(self.isa.encode()), count),
                     f"starting {count} threads on {self.isa}")
        self.threads = count

    def __dealloc__(self):
        r.pi_runtime_destroy(self.handle)

    # Around everything that runs on the pool, frame included: two threads at a time would overwrite
    # each other's work.
    cdef int enter(self) except -1:
        if self.busy:
            raise EngineError("the model is in use by another thread",
                              hint="give each thread its own model, or use an engine")
        self.busy = True
        return 0

    cdef void leave(self) noexcept:
        self.busy = False

    @property
    def walk(self):
        return (self.handle.walk.n_streams, self.handle.walk.prefetch_near,
                self.handle.walk.prefetch_far)

    @walk.setter
    def walk(self, value):
        n_streams, near, far = check_walk(value)
        self.handle.walk.n_streams = n_streams
        self.handle.walk.prefetch_near = near
        self.handle.walk.prefetch_far = far

    def read_bandwidth(self, const uint8_t[::1] data, walk=None):
        cdef r.pi_walk how = self.handle.walk
        cdef double rate = 0.0
        cdef c.pi_status status
        if walk is not None:
            how.n_streams, how.prefetch_near, how.prefetch_far = check_walk(walk)
        if data.shape[0] < 1 << 16 or <uintptr_t>&data[0] % 64 != 0:
            raise ValueError("the data to read must be 64-byte aligned and at least 64 KiB")
        self.enter()
        with nogil:
            status = r.pi_measure_read(self.handle, &how, &data[0], data.shape[0], &rate)
        self.leave()
        check_status(status, "measuring the read bandwidth")
        return rate

    def peak_rate(self, str kind, size_t rounds=1_000_000):
        cdef double rate = 0.0
        cdef c.pi_status status
        if kind not in ("int8", "f32"):
            raise ValueError(f"peak of {kind!r} is unknown, expected int8 or f32")
        cdef bint integer = kind == "int8"
        self.enter()
        with nogil:
            status = r.pi_measure_peak(self.handle, integer, rounds, &rate)
        self.leave()
        check_status(status, "measuring the multiply rate")
        return rate
