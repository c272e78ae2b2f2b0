from libc.stdint cimport uint8_t


cdef class KvCache:
    cdef uint8_t *base
    cdef readonly size_t n_layers, n_blocks, n_kv_heads, head_dim, nbytes
    cdef size_t head_stride, block_stride, layer_stride
