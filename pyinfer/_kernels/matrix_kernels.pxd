from pyinfer._kernels cimport c_api as c


cdef int require(bint condition, str message) except -1


cdef class MatrixKernels:
    cdef c.pi_kernels table
