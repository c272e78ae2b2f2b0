from pyinfer._kernels.c_api cimport pi_status

cdef int check_status(pi_status status, str what) except -1
