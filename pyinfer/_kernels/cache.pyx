# Memory of the paged key/value cache. Documented in cache.pyi.
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from pyinfer._kernels cimport c_api as c
from pyinfer._kernels cimport c_runtime as r

from pyinfer.errors import InsufficientMemoryError


FORMATS = ("f16", "f32", "q8_0")
cdef size_t SCALED = c.PI_BLOCK_INPUTS


def block_bytes(str fmt, size_t n_layers, size_t n_kv_heads, size_t head_dim):
    cdef size_t v_stride = (head_dim + 15) // 16 * 16, token
    if fmt not in FORMATS:
        raise ValueError(f"cache format {fmt!r} is unknown, expected one of {', '.join(FORMATS)}")
    if fmt == "q8_0":
        if head_dim % SCALED:
            raise ValueError(f"a q8_0 cache needs a head size that is a multiple of {SCALED}, "
                             f"not {head_dim}")
        token = 2 * (head_dim + 2 * (head_dim // SCALED))
    else:
        token = (2 if fmt == "f16" else 4) * (head_dim + v_stride)
    return n_layers * n_kv_heads * c.PI_KV_BLOCK_TOKENS * token


cdef class KvCache:
    def __init__(self, str fmt, size_t n_layers, size_t n_blocks, size_t n_kv_heads,
                 size_t head_dim):
        if self.base is not NULL or 0 in (n_layers, n_blocks, n_kv_heads, head_dim):
            raise ValueError("a KvCache is initialised once, with positive sizes")
        self.n_layers, self.n_blocks = n_layers, n_blocks
        self.n_kv_heads, self.head_dim = n_kv_heads, head_dim
        self.head_stride = block_bytes(fmt, 1, 1, head_dim)
        self.format = <r.pi_kv_format><int>FORMATS.index(fmt)
        self.block_stride = n_kv_heads * self.head_stride
        self.layer_stride = n_blocks * self.block_stride
        self.nbytes = n_layers * self.layer_stride
        self.base = <uint8_t *>r.pi_memory_map(self.nbytes)
        if self.base is NULL:
            raise InsufficientMemoryError(f"the system refused {self.nbytes:,} bytes for the "
                                          "key/value cache")

    def copy_block(self, size_t source, size_t target):
        cdef size_t _layer
        cdef uint8_t *start = self.base
        if source >= self.n_blocks or target >= self.n_blocks or source == target:
            raise ValueError(f"cannot copy block {source} to {target} of {self.n_blocks}")
        with nogil:
            for _layer in range(self.n_layers):
                memcpy(start + target * self.block_stride, start + source * self.block_stride,
                       self.block_stride)
                start += self.layer_stride

    def __dealloc__(self):
        r.pi_memory_unmap(self.base, self.nbytes)
