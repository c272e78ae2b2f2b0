# pi_status -> exception: the only translator.
from pyinfer._kernels cimport c_api as c

from pyinfer.errors import (
    CancelledError,
    EngineError,
    InsufficientMemoryError,
    NumericError,
    StoreIOError,
    UnsupportedCPUError,
)


cdef int check_status(c.pi_status status, str what) except -1:
    if status == c.PI_OK:
        return 0
    if status == c.PI_ERR_NOMEM:
        raise InsufficientMemoryError(f"{what}: the system refused the memory")
    if status == c.PI_ERR_UNSUPPORTED:
        raise UnsupportedCPUError(f"{what}: this CPU or this build does not have it")
    if status == c.PI_ERR_ARG:
        raise ValueError(f"{what}: invalid argument")
    if status == c.PI_ERR_CANCELLED:
        raise CancelledError(f"{what}: cancelled")
    if status == c.PI_ERR_NUMERIC:
        raise NumericError(f"{what}: NaN or Inf where a number was expected")
    if status == c.PI_ERR_FORKED:
        raise EngineError(f"{what}: the model was loaded before fork()",
                          hint="load it in the process that uses it")
    if status == c.PI_ERR_IO:
        raise StoreIOError(f"{what}: reading failed")
    raise EngineError(f"{what}: unknown status {<int>status}")
