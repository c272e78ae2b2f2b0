from libc.stdint cimport uint8_t

from pyinfer._kernels.c_api cimport pi_format
from pyinfer._kernels.c_runtime cimport pi_weight


cdef pi_format format_of(str name) except *


cdef class Arena:
    cdef uint8_t *base
    cdef readonly size_t nbytes
    cdef readonly size_t used
    cdef readonly bint writable
    cdef uint8_t *take(self, size_t nbytes) except NULL


cdef class PackedTensor:
    cdef readonly Arena arena
    cdef pi_weight weight
    cdef readonly str format
    cdef readonly size_t rows
    cdef readonly size_t cols
    cdef readonly size_t nbytes
    cdef uint8_t *place(self, size_t first_row, size_t n_rows) except NULL
