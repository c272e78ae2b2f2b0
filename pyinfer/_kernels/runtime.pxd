from libc.stdint cimport int32_t

from pyinfer._kernels.c_runtime cimport pi_runtime


cdef class CancelFlag:
    cdef int32_t value


cdef class Runtime:
    cdef pi_runtime *handle
    cdef readonly str isa
    cdef readonly str isa_reason
    cdef readonly int threads
    cdef bint busy
    cdef int enter(self) except -1
    cdef void leave(self) noexcept
