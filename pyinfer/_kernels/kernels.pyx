# One call per raw kernel of one instruction set level: tests, benchmarks, file conversion.
# Shapes, dtypes and errors are documented in kernels.pyi. Every call checks shapes, then runs the
# kernel in the floating-point mode of the contract.
from libc.stdint cimport int32_t, uint8_t

from pyinfer._kernels cimport c_api as c
from pyinfer._kernels.matrix_kernels cimport MatrixKernels, require

import numpy as np

from pyinfer._kernels.cache import FORMATS as KV_FORMATS, block_bytes
from pyinfer._kernels.formats import FILE_FORMATS, FORMATS, FormatInfo, format_info
from pyinfer._kernels.matrix_kernels import aligned_empty
from pyinfer._kernels.runtime import ISAS, available_isas

__all__ = [
    "FILE_FORMATS", "FORMATS", "ISAS", "FormatInfo", "Kernels", "aligned_empty", "available_isas",
    "format_info", "kv_block_bytes", "v_stride",
]

cdef size_t LANES = c.PI_KV_TILE_TOKENS
cdef size_t BLOCK = c.PI_KV_BLOCK_TOKENS
cdef size_t SEGMENT = c.PI_KV_SEGMENT_TOKENS


def v_stride(head_dim):
    return -(-head_dim // LANES) * LANES


def kv_block_bytes(head_dim, kv="f16"):
    return block_bytes(kv, 1, 1, head_dim)


cdef class Kernels(MatrixKernels):
    def rmsnorm(self, const float[::1] x, const float[::1] w, float eps, n=None):
        cdef size_t n_padded = x.shape[0], n_inputs = n_padded if n is None else n
        require(n_padded > 0 and n_padded % LANES == 0 and w.shape[0] == x.shape[0]
                and 0 < n_inputs <= n_padded,
                f"{x.shape[0]} inputs and {w.shape[0]} weights for n = {n_inputs}: equal multiples "
                f"of {LANES}, at least n")
        y = np.empty(n_padded, dtype=np.float32)
        cdef float[::1] out = y
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            self.table.rmsnorm(&out[0], &x[0], &w[0], n_inputs, n_padded, eps)
            c.pi_fpmode_leave(mode)
        return y

    def rope(self, x, const float[::1] cos, const float[::1] sin, float scale=1.0):
        y = np.array(x, dtype=np.float32)
        cdef float[::1] out = y
        cdef size_t half = cos.shape[0]
        require(half > 0 and sin.shape[0] == cos.shape[0] and <size_t>out.shape[0] == 2 * half,
                f"a head of {out.shape[0]} values with {cos.shape[0]} cosines and {sin.shape[0]} "
                f"sines: half as many of each")
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            self.table.rope(&out[0], &cos[0], &sin[0], half, scale)
            c.pi_fpmode_leave(mode)
        return y

    def swiglu(self, const float[::1] gate, const float[::1] up):
        cdef size_t n = gate.shape[0]
        require(n > 0 and gate.shape[0] == up.shape[0],
                f"{gate.shape[0]} gate and {up.shape[0]} up values: equal counts")
        h = np.empty(n, dtype=np.float32)
        cdef float[::1] out = h
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            self.table.swiglu(&out[0], &gate[0], &up[0], n)
            c.pi_fpmode_leave(mode)
        return h

    def kv_append(self, uint8_t[:, ::1] pool, size_t block, size_t slot, const float[::1] k,
                  const float[::1] v, kv="f16"):
        cdef size_t head_dim = k.shape[0], stride = v_stride(head_dim)
        require(head_dim > 0 and v.shape[0] == k.shape[0]
                and pool.shape[1] >= kv_block_bytes(head_dim, kv),
                f"blocks of {pool.shape[1]} bytes, K of {head_dim} and V of {v.shape[0]} values")
        require(block < <size_t>pool.shape[0] and slot < BLOCK,
                f"slot {slot} of block {block}: {BLOCK} slots, {pool.shape[0]} blocks")
        cdef c.pi_kv_append_ptr kernel = self.table.kv_append[<int>KV_FORMATS.index(kv)]
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            kernel(&pool[block, 0], &k[0], &v[0], slot, head_dim, stride)
            c.pi_fpmode_leave(mode)

    def attn(self, const float[:, ::1] q, const int32_t[::1] limit, const uint8_t[:, ::1] pool,
             const int32_t[::1] block_table, size_t first, size_t last, kv="f16"):
        cdef size_t n = q.shape[0], head_dim = q.shape[1], stride = v_stride(head_dim), i
        cdef size_t n_blocks = (last + BLOCK - 1) // BLOCK
        require(n > 0 and head_dim > 0 and limit.shape[0] == q.shape[0],
                f"{q.shape[0]} queries and {limit.shape[0]} limits")
        require(first % SEGMENT == 0 and first < last <= first + SEGMENT,
                f"tokens {first} to {last}: one segment of {SEGMENT} at most")
        require(pool.shape[1] >= kv_block_bytes(head_dim, kv) and pool.shape[1] % 64 == 0
                and n_blocks <= <size_t>block_table.shape[0],
                f"blocks of {pool.shape[1]} bytes, {block_table.shape[0]} of them, for {last} "
                f"tokens of {head_dim} values")
        for i in range(n_blocks):
            require(0 <= block_table[i] < pool.shape[0], f"block {block_table[i]} of {len(pool)}")
        for i in range(n):
            require(limit[i] >= 0 and (i == 0 or limit[i - 1] <= limit[i]), "limits must ascend")
        m = np.empty(n, dtype=np.float32)
        sums = np.empty((n, LANES), dtype=np.float32)
        o = np.empty((n, stride), dtype=np.float32)
        cdef float[::1] m_out = m
        cdef float[:, ::1] l_out = sums, o_out = o
        cdef c.pi_attn_args args
        args.q, args.q_stride, args.limit, args.n_queries = &q[0, 0], head_dim, &limit[0], n
        args.head_dim, args.v_stride = head_dim, stride
        args.kv, args.block_stride = &pool[0, 0], pool.shape[1]
        args.block_table, args.first, args.last = &block_table[0], first, last
        args.end = last
        args.m, args.l, args.o = &m_out[0], &l_out[0, 0], &o_out[0, 0]
        cdef const unsigned char[::1] quantized
        if kv == "q8_0":
            quantized = self.quantized_heads(np.asarray(q))
            args.q8 = <const c.pi_a8_group *>&quantized[0]
            args.q8_stride = (head_dim + c.PI_GROUP_INPUTS - 1) // c.PI_GROUP_INPUTS
        cdef c.pi_attn_ptr kernel = self.table.attn_kv[<int>KV_FORMATS.index(kv)]
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            kernel(&args)
            c.pi_fpmode_leave(mode)
        return m, sums, o

    cdef quantized_heads(self, q):
        """Queries as a8, each padded to whole groups."""
        rows = np.zeros((len(q), -(-q.shape[1] // 128) * 128), dtype=np.float32)
        rows[:, :q.shape[1]] = q
        cdef const float[:, ::1] x = rows
        cdef size_t n_groups = rows.shape[1] // 128, n = len(rows), i
        cdef unsigned char[::1] out = np.empty(n * n_groups * sizeof(c.pi_a8_group), dtype=np.uint8)
        for i in range(n):
            self.table.act_a8(<c.pi_a8_group *>&out[0] + i * n_groups, 1, &x[i, 0], n_groups)
        return np.asarray(out)

    def attn_merge(self, float[::1] m, float[:, ::1] l, float[:, ::1] o, size_t head_dim,
                   keep=False):
        cdef c.pi_attn_merge_args args
        args.n_parts = m.shape[0]
        require(args.n_parts > 0 and l.shape[0] == m.shape[0] and o.shape[0] == m.shape[0]
                and l.shape[1] == LANES and 0 < head_dim <= o.shape[1],
                f"{m.shape[0]} maxima, sums {l.shape[0]} x {l.shape[1]}, values {o.shape[0]} x "
                f"{o.shape[1]} for a head of {head_dim}")
        y = np.empty(head_dim, dtype=np.float32)
        cdef float[::1] out = y
        args.m, args.l, args.o = &m[0], &l[0, 0], &o[0, 0]
        args.out = NULL if keep else &out[0]
        args.m_step, args.l_step, args.o_step = 1, l.shape[1], o.shape[1]
        args.head_dim = head_dim
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            self.table.attn_merge(&args)
            c.pi_fpmode_leave(mode)
        return None if keep else y

    def head_stats(self, const float[::1] logits):
        cdef size_t n = logits.shape[0]
        cdef c.pi_head_stats stats
        require(0 < n <= c.PI_HEAD_CHUNK_ROWS, f"{n} logits: 1 to {c.PI_HEAD_CHUNK_ROWS}")
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            self.table.head_stats(&stats, &logits[0], n)
            c.pi_fpmode_leave(mode)
        return np.float32(stats.max), np.float32(stats.sum), bool(stats.finite)

    def head_select(self, const float[::1] logits, float threshold, size_t capacity):
        cdef size_t n = logits.shape[0], found
        require(n > 0 and capacity > 0, f"{n} logits into {capacity} places")
        index = np.empty(capacity, dtype=np.int32)
        cdef int32_t[::1] out = index
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            found = self.table.head_select(&out[0], capacity, &logits[0], n, threshold)
            c.pi_fpmode_leave(mode)
        return index[:min(found, capacity)], found
