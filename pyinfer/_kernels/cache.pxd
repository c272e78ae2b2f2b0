from libc.stdint cimport uint8_t

from pyinfer._kernels.c_runtime cimport pi_kv_format


cdef class KvCache:
    cdef uint8_t *base
    cdef pi_kv_format format
    cdef readonly size_t n_layers, n_blocks, n_kv_heads, head_dim, nbytes
    cdef size_t head_stride, block_stride, layer_stride
