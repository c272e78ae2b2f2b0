# The ops of a model graph: recorded into a Program, or run one by one. Documented in graph.pyi.
from libc.math cimport sqrt
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from pyinfer._kernels cimport c_api as c
from pyinfer._kernels cimport c_runtime as r
from pyinfer._kernels.cache cimport KvCache
from pyinfer._kernels.runtime cimport CancelFlag, Runtime
from pyinfer._kernels.status cimport check_status
from pyinfer._kernels.step cimport StepState
from pyinfer._kernels.tensor cimport PackedTensor

import numpy as np

from pyinfer._kernels.step import zeros_aligned

cdef size_t ROWS = c.PI_PANEL_ROWS
cdef size_t GROUP = c.PI_GROUP_INPUTS


cdef size_t round_up(size_t n, size_t step):
    return (n + step - 1) // step * step


cdef void merge_parts(r.pi_linear *linear):
    # Matrices that follow each other in memory and in the output are one longer stream.
    cdef size_t i, kept = 0
    cdef r.pi_weight *last
    cdef r.pi_weight *part
    for i in range(1, linear.n_parts):
        last, part = &linear.part[kept], &linear.part[i]
        if part.format == last.format \
                and part.panels == last.panels + last.n_panels * panel_bytes(last) \
                and linear.out_col[i] == linear.out_col[kept] + last.n_panels * ROWS:
            last.n_panels += part.n_panels
        else:
            kept += 1
            linear.part[kept], linear.out_col[kept] = linear.part[i], linear.out_col[i]
    linear.n_parts = kept + 1


cdef size_t panel_bytes(const r.pi_weight *weight) noexcept:
    return weight.n_groups * c.pi_qtype_of(weight.format).group_bytes


cdef class Buffer:
    cdef readonly size_t cols
    cdef readonly int id
    cdef readonly bint kept
    cdef object memory

    def __init__(self, size_t cols, int id, bint kept):
        self.cols, self.id, self.kept = cols, id, kept

    def array(self):
        return self.memory


cdef class Graph:
    cdef Runtime runtime
    cdef StepState state
    cdef KvCache kv
    cdef list keep
    cdef int n_buffers

    def __init__(self, Runtime runtime, StepState state, KvCache kv):
        self.runtime, self.state, self.kv = runtime, state, kv
        self.keep = [state, kv]

    cdef Buffer emit(self, r.pi_op *op, Buffer x, Buffer residual, size_t cols):
        raise TypeError("ops are recorded by a Recorder or run by an Eager graph")

    cdef const float *vector(self, values, size_t n, size_t n_padded) except NULL:
        padded = zeros_aligned(n_padded, np.float32)
        if len(values) != n:
            raise ValueError(f"a vector of {len(values)} values, expected {n}")
        padded[:n] = values
        cdef float[::1] view = padded
        self.keep.append(padded)
        return &view[0]

    cdef int set_linear(self, r.pi_linear *linear, Buffer x, tuple weights, norm,
                        float eps) except -1:
        cdef PackedTensor w
        linear.n_parts, linear.norm, linear.bias = len(weights), NULL, NULL
        if not 1 <= len(weights) <= r.PI_MAX_PARTS:
            raise ValueError(f"{len(weights)} weights, expected 1 to {r.PI_MAX_PARTS}")
        for i, w in enumerate(weights):
            if w.cols != x.cols:
                raise ValueError(f"a weight of {w.cols} inputs on a buffer of {x.cols} columns")
            linear.part[i] = w.weight
            linear.n_groups = w.weight.n_groups
            self.keep.append(w)
        if norm is not None:
            linear.norm = self.vector(norm, x.cols, linear.n_groups * GROUP)
            linear.norm_n, linear.eps = x.cols, eps
        return 0

    def embed(self, PackedTensor weight):
        cdef r.pi_op op
        memset(&op, 0, sizeof(op))
        op.kind = r.PI_OP_EMBED
        op.u.embed.weight = weight.weight
        self.keep.append(weight)
        return self.emit(&op, None, None, weight.cols)

    def linear(self, Buffer x, *weights, norm=None, float eps=0.0, bias=None,
               Buffer residual=None):
        cdef r.pi_op op
        cdef size_t col = 0
        cdef PackedTensor w
        memset(&op, 0, sizeof(op))
        op.kind = r.PI_OP_LINEAR
        self.set_linear(&op.u.linear, x, weights, norm, eps)
        cols = []
        for i, w in enumerate(weights):
            op.u.linear.out_col[i] = col
            cols.append(col)
            # One part ends where the next begins, on a panel border; the last keeps its true width.
            col += round_up(w.rows, ROWS) if i + 1 < len(weights) else w.rows
        merge_parts(&op.u.linear)
        if bias is not None:
            padded = np.zeros(round_up(col, ROWS), dtype=np.float32)
            for i, w in enumerate(weights):
                padded[cols[i]:cols[i] + w.rows] = bias[i]
            op.u.linear.bias = self.vector(padded, len(padded), len(padded))
        if residual is not None and residual.cols != col:
            raise ValueError(f"a residual of {residual.cols} columns for an output of {col}")
        if residual is not None and residual.kept and not x.kept:
            raise ValueError("a residual of the kept rows for an output of all rows")
        op.gathers = residual is not None and x.kept and not residual.kept
        return self.emit(&op, x, residual, col)

    def gate_up(self, Buffer x, PackedTensor gate, PackedTensor up, norm=None, float eps=0.0):
        cdef r.pi_op op
        memset(&op, 0, sizeof(op))
        op.kind = r.PI_OP_GATE_UP
        if gate.rows != up.rows:
            raise ValueError(f"gate has {gate.rows} rows, up has {up.rows}")
        self.set_linear(&op.u.linear, x, (gate, up), norm, eps)
        return self.emit(&op, x, None, gate.rows)

    def attention(self, Buffer qkv, size_t layer, size_t n_heads, bint keep=False,
                  q_norm=None, k_norm=None, float eps=0.0):
        cdef r.pi_op op
        cdef KvCache kv = self.kv
        cdef size_t K = kv.head_dim, q_cols = n_heads * K, kv_cols = kv.n_kv_heads * K
        memset(&op, 0, sizeof(op))
        op.kind = r.PI_OP_ATTENTION
        op.u.attention.k_col = round_up(q_cols, ROWS)
        op.u.attention.v_col = op.u.attention.k_col + round_up(kv_cols, ROWS)
        if layer >= kv.n_layers or n_heads == 0 or n_heads % kv.n_kv_heads != 0 \
                or qkv.cols != op.u.attention.v_col + kv_cols:
            raise ValueError(f"attention of layer {layer}, {n_heads} heads on {qkv.cols} columns "
                             "does not fit the cache")
        op.u.attention.kv.format = kv.format
        op.u.attention.kv.base = kv.base + layer * kv.layer_stride
        op.u.attention.kv.block_stride = kv.block_stride
        op.u.attention.kv.head_stride = kv.head_stride
        op.u.attention.n_heads, op.u.attention.n_kv_heads = n_heads, kv.n_kv_heads
        op.u.attention.head_dim = K
        if qkv.kept:
            raise ValueError("attention needs the keys and values of all rows")
        op.kept_out = keep
        op.u.attention.scale = <float>(1.0 / sqrt(<double>K))
        if q_norm is not None:
            op.u.attention.q_norm = self.vector(q_norm, K, round_up(K, ROWS))
            op.u.attention.k_norm = self.vector(k_norm, K, round_up(K, ROWS))
            op.u.attention.eps = eps
        return self.emit(&op, qkv, None, q_cols)

    def head(self, Buffer x, PackedTensor weight, norm, float eps):
        cdef r.pi_op op
        memset(&op, 0, sizeof(op))
        op.kind = r.PI_OP_HEAD
        if weight.rows != self.state.vocab:
            raise ValueError(f"a head of {weight.rows} rows for {self.state.vocab} logits")
        self.set_linear(&op.u.head.linear, x, (weight,), norm, eps)
        op.u.head.n_valid = self.state.n_valid
        self.emit(&op, x, None, 0)

    cdef object new_memory(self, size_t cols):
        return zeros_aligned((self.state.max_rows, round_up(cols, GROUP)), np.float32)


cdef int set_matrix(r.pi_matrix *matrix, memory) except -1:
    cdef float[:, ::1] view = memory
    matrix.data, matrix.stride = &view[0, 0], view.shape[1]
    return 0


cdef void set_rows(r.pi_op *op, Buffer x) noexcept:
    # All rows in give all rows out unless attention leaves some out; kept rows give kept rows.
    op.kept_in = x is not None and x.kept
    op.kept_out |= op.kept_in


cdef class Recorder(Graph):
    cdef r.pi_op *ops
    cdef list uses  # per op: ids of in, out, residual (-1 = none)
    cdef list widths  # per buffer
    cdef dict memory  # of buffers, by id

    def __init__(self, Runtime runtime, StepState state, KvCache kv):
        Graph.__init__(self, runtime, state, kv)
        self.uses, self.widths = [], []

    def __dealloc__(self):
        free(self.ops)

    cdef Buffer emit(self, r.pi_op *op, Buffer x, Buffer residual, size_t cols):
        cdef size_t n = len(self.uses)
        cdef r.pi_op *grown = <r.pi_op *>realloc(self.ops, (n + 1) * sizeof(r.pi_op))
        if grown is NULL:
            raise MemoryError("program ops")
        self.ops = grown
        self.ops[n] = op[0]
        cdef Buffer out = None
        set_rows(&self.ops[n], x)
        if cols:
            out = Buffer(cols, len(self.widths), self.ops[n].kept_out)
            self.widths.append(cols)
        self.uses.append((-1 if x is None else x.id, -1 if out is None else out.id,
                          -1 if residual is None else residual.id))
        return out

    cdef void quantize_hidden(self):
        # The output of gate-up stays quantized if the next op is its only reader and wants it so.
        cdef size_t i, part
        cdef bint wanted
        readers = [b for use in self.uses for b in (use[0], use[2])]
        for i in range(1, len(self.uses)):
            hidden = self.uses[i - 1][1]
            wanted = self.ops[i - 1].kind == r.PI_OP_GATE_UP \
                and self.ops[i].kind == r.PI_OP_LINEAR and self.ops[i].u.linear.norm is NULL \
                and self.uses[i][0] == hidden and readers.count(hidden) == 1
            for part in range(self.ops[i].u.linear.n_parts if wanted else 0):
                wanted &= c.pi_qtype_of(self.ops[i].u.linear.part[part].format).quantized
            if wanted:
                self.ops[i - 1].u.linear.hidden_out = self.ops[i].u.linear.hidden_in = True

    def finish(self):
        cdef size_t i
        self.quantize_hidden()
        memory = self.assign_memory()
        for i, (x, out, residual) in enumerate(self.uses):
            if x >= 0:
                set_matrix(&self.ops[i].input, memory[x])
            if out >= 0:
                set_matrix(&self.ops[i].out, memory[out])
            if residual >= 0:
                set_matrix(&self.ops[i].residual, memory[residual])
        program = Program()
        program.take(self)
        return program

    def assign_memory(self):
        # A buffer lives from the op that writes it to the last op that reads it. Only buffers of
        # one width share memory, so the zero columns behind the valid ones stay zero. An output may
        # take over its residual (read and written element by element) but never its input.
        last = {}
        for i, (x, out, residual) in enumerate(self.uses):
            last[x] = last[residual] = i
        free_memory, memory = {}, {}
        for i, (x, out, residual) in enumerate(self.uses):
            if residual >= 0 and residual != x and last[residual] == i \
                    and not self.ops[i].gathers:
                free_memory.setdefault(self.widths[residual], []).append(memory[residual])
            if out >= 0:
                spare = free_memory.get(self.widths[out])
                memory[out] = spare.pop() if spare else self.new_memory(self.widths[out])
            if residual >= 0 and self.ops[i].gathers and last[residual] == i:
                free_memory.setdefault(self.widths[residual], []).append(memory[residual])
            if x >= 0 and last[x] == i:
                free_memory.setdefault(self.widths[x], []).append(memory[x])
        self.memory = memory
        return memory


cdef class Program:
    cdef r.pi_program program
    cdef Recorder recorder
    cdef StepState state
    cdef Runtime runtime

    cdef take(self, Recorder recorder):
        self.recorder, self.state, self.runtime = recorder, recorder.state, recorder.runtime
        self.program.ops, self.program.n_ops = recorder.ops, len(recorder.uses)
        self.program.shared = recorder.state.shared

    def __len__(self):
        return self.program.n_ops

    def limit_vocabulary(self, size_t n_valid):
        cdef size_t i
        if not 1 <= n_valid <= self.state.vocab:
            raise ValueError(f"{n_valid} valid ids of {self.state.vocab}")
        for i in range(self.program.n_ops):
            if self.recorder.ops[i].kind == r.PI_OP_HEAD:
                self.recorder.ops[i].u.head.n_valid = n_valid

    def head_input(self, size_t row):
        cdef size_t i
        for i in range(self.program.n_ops):
            if self.recorder.ops[i].kind == r.PI_OP_HEAD:
                if self.recorder.ops[i].kept_in:
                    row = self.state.kept_index(row)
                elif row >= self.state.frame.n_rows:
                    raise ValueError(f"row {row} of a step of {self.state.frame.n_rows} tokens")
                return self.recorder.memory[self.recorder.uses[i][0]][row]
        raise ValueError("the program has no head")

    def run(self, spans, CancelFlag cancel=None):
        cdef c.pi_status status
        self.runtime.enter()
        try:
            self.state.fill(spans, cancel)
            with nogil:
                status = r.pi_program_run(self.runtime.handle, &self.program, &self.state.frame)
            check_status(status, "step")
            return self.state.results()
        finally:
            self.runtime.leave()


cdef class Eager(Graph):
    def begin(self, spans):
        self.state.fill(spans, None)

    cdef Buffer emit(self, r.pi_op *op, Buffer x, Buffer residual, size_t cols):
        cdef r.pi_program program
        cdef Buffer out = None
        cdef c.pi_status status
        if x is not None:
            set_matrix(&op.input, x.memory)
        if residual is not None:
            set_matrix(&op.residual, residual.memory)
        set_rows(op, x)
        if cols:
            out = Buffer(cols, self.n_buffers, op.kept_out)
            out.memory = self.new_memory(cols)
            self.n_buffers += 1
            set_matrix(&op.out, out.memory)
        program.ops, program.n_ops, program.shared = op, 1, self.state.shared
        self.runtime.enter()
        with nogil:
            status = r.pi_program_run(self.runtime.handle, &program, &self.state.frame)
        self.runtime.leave()
        check_status(status, "step")
        return out

    def results(self):
        return self.state.results()
