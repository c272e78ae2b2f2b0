from libc.stdint cimport uint8_t

from pyinfer._kernels.c_runtime cimport pi_weight


cdef class Arena:
    cdef uint8_t *base
    cdef readonly size_t nbytes
    cdef readonly size_t used
    cdef uint8_t *take(self, size_t nbytes) except NULL


cdef class PackedTensor:
    cdef readonly Arena arena
    cdef pi_weight weight
    cdef readonly str format
    cdef readonly size_t rows
    cdef readonly size_t cols
    cdef readonly size_t nbytes
