# The frame of one step and the buffers that workers share. Documented in step.pyi.
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from pyinfer._kernels cimport c_api as c
from pyinfer._kernels cimport c_runtime as r
from pyinfer._kernels.runtime cimport CancelFlag

import numpy as np

cdef size_t BLOCK = c.PI_KV_BLOCK_TOKENS
cdef size_t LINE = 64


def zeros_aligned(shape, dtype):
    nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(nbytes + LINE, dtype=np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start:start + nbytes].view(dtype).reshape(shape)


def attention_bytes(*, size_t n_heads, size_t n_kv_heads, size_t head_dim, size_t context,
                    size_t threads):
    cdef r.pi_op op
    cdef size_t segments = (context + c.PI_KV_SEGMENT_TOKENS - 1) // c.PI_KV_SEGMENT_TOKENS
    memset(&op, 0, sizeof(op))
    op.kind = r.PI_OP_ATTENTION
    op.u.attention.n_heads, op.u.attention.n_kv_heads = n_heads, n_kv_heads
    op.u.attention.head_dim = head_dim
    return threads * r.pi_op_scratch_bytes(&op) \
        + 4 * r.pi_attention_partials(&op.u.attention, threads, segments)


cdef size_t rows_of(size_t which, size_t n) noexcept:
    # LOGITS_NONE, LOGITS_LAST, LOGITS_ALL of a span of n rows.
    return 0 if which == 0 else 1 if which == 1 else n


cdef class LogitsRow:
    cdef readonly object ids, values, full
    cdef readonly double log_sum_exp
    cdef readonly bint finite

    def __init__(self, ids, values, log_sum_exp, finite, full):
        self.ids, self.values, self.full = ids, values, full
        self.log_sum_exp, self.finite = log_sum_exp, finite


cdef class StepState:
    def __init__(self, *, size_t max_rows, size_t max_logit_rows, size_t max_inputs, size_t vocab,
                 size_t n_candidates, size_t n_blocks, size_t context,
                 size_t group_heads, size_t head_dim, size_t threads, inverse_frequency,
                 double attention_factor):
        self.max_rows, self.max_logit_rows = max_rows, max_logit_rows
        self.vocab = self.n_valid = vocab
        self.n_blocks, self.context = n_blocks, context
        self.keep = []
        # The head collects candidates in scratch memory of one chunk of logits.
        if not 1 <= n_candidates <= <size_t>c.PI_HEAD_CHUNK_ROWS:
            raise ValueError(f"{n_candidates} candidates, expected 1 to {c.PI_HEAD_CHUNK_ROWS}")
        self.spans = <r.pi_span *>calloc(max_rows, sizeof(r.pi_span))
        if self.spans is NULL:
            raise MemoryError("step spans")
        self.writers = np.zeros(n_blocks, dtype=np.int64)
        self.allocate_frame(n_candidates)
        self.allocate_shared(max_inputs, group_heads, head_dim, threads)
        cdef double[::1] frequency = np.array(inverse_frequency, dtype=np.float64)
        self.keep.append(frequency)
        self.shared.rope.inverse_frequency = &frequency[0]
        self.shared.rope.attention_factor = attention_factor

    def __dealloc__(self):
        free(self.spans)

    def allocate_frame(self, size_t n_candidates):
        cdef size_t stride = (self.vocab + 15) // 16 * 16
        self.tokens = np.zeros(self.max_rows, dtype=np.int32)
        self.positions = np.zeros(self.max_rows, dtype=np.int32)
        self.logit_rows = np.zeros(self.max_logit_rows, dtype=np.int32)
        self.logit_kept = np.zeros(self.max_logit_rows, dtype=np.int32)
        self.kept_rows = np.zeros(self.max_rows, dtype=np.int32)
        self.candidate_counts = np.zeros(self.max_logit_rows, dtype=np.int32)
        self.finite = np.zeros(self.max_logit_rows, dtype=np.int32)
        self.log_sum_exp = np.zeros(self.max_logit_rows, dtype=np.float64)
        self.logits = zeros_aligned((self.max_logit_rows, stride), np.float32)
        self.candidate_ids = np.zeros((self.max_logit_rows, n_candidates), dtype=np.int32)
        self.candidate_values = np.zeros((self.max_logit_rows, n_candidates), dtype=np.float32)
        cdef float[:, ::1] logits = self.logits, values = self.candidate_values
        cdef int32_t[:, ::1] ids = self.candidate_ids
        self.frame.tokens, self.frame.positions = &self.tokens[0], &self.positions[0]
        self.frame.spans = self.spans
        self.frame.logit_rows, self.frame.logit_kept = &self.logit_rows[0], &self.logit_kept[0]
        self.frame.kept_rows = &self.kept_rows[0]
        self.frame.logits, self.frame.logits_stride = &logits[0, 0], stride
        self.frame.n_candidates = n_candidates
        self.frame.candidate_ids, self.frame.candidate_values = &ids[0, 0], &values[0, 0]
        self.frame.candidate_counts = &self.candidate_counts[0]
        self.frame.log_sum_exp, self.frame.finite = &self.log_sum_exp[0], &self.finite[0]

    def allocate_shared(self, size_t max_inputs, size_t group_heads, size_t head_dim,
                        size_t threads):
        cdef size_t groups = (max_inputs + c.PI_GROUP_INPUTS - 1) // c.PI_GROUP_INPUTS
        cdef size_t rows = max(self.max_rows, self.max_logit_rows)
        cdef size_t chunks = (self.vocab + c.PI_HEAD_CHUNK_ROWS - 1) // c.PI_HEAD_CHUNK_ROWS
        cdef size_t segment = c.PI_KV_SEGMENT_TOKENS
        cdef r.pi_attention attention
        attention.n_heads, attention.n_kv_heads, attention.head_dim = group_heads, 1, head_dim
        self.shared.max_segments = (self.context + segment - 1) // segment
        cdef float[:, ::1] normed = zeros_aligned((rows, groups * c.PI_GROUP_INPUTS), np.float32)
        cdef size_t a8_bytes = rows * groups * sizeof(c.pi_a8_group)
        cdef unsigned char[::1] a8 = zeros_aligned(a8_bytes, np.uint8)
        cdef unsigned char[::1] hidden = zeros_aligned(a8_bytes, np.uint8)
        cdef float[:, ::1] cos = np.zeros((self.max_rows, head_dim // 2), dtype=np.float32)
        cdef float[:, ::1] sin = np.zeros((self.max_rows, head_dim // 2), dtype=np.float32)
        cdef float[::1] partials = np.zeros(
            r.pi_attention_partials(&attention, threads, self.shared.max_segments), np.float32)
        cdef unsigned char[::1] stats = zeros_aligned(
            self.max_logit_rows * chunks * sizeof(c.pi_head_stats), np.uint8)
        self.keep += [normed, a8, hidden, cos, sin, partials, stats]
        self.shared.normed, self.shared.normed_stride = &normed[0, 0], groups * c.PI_GROUP_INPUTS
        self.shared.a8 = <c.pi_a8_group *>&a8[0]
        self.shared.hidden = <c.pi_a8_group *>&hidden[0]
        self.shared.rope.half = head_dim // 2
        self.shared.rope.cos, self.shared.rope.sin = &cos[0, 0], &sin[0, 0]
        self.shared.partials = &partials[0]
        self.shared.head_stats = <c.pi_head_stats *>&stats[0]

    cdef int fill(self, spans, CancelFlag cancel) except -1:
        cdef size_t row = 0, n_spans = 0, n_logits = 0, n_kept = 0, n, i, start, wanted, kept
        cdef const int32_t[::1] tokens, blocks
        self.block_tables = []
        for span in spans:
            tokens, blocks = span.tokens, span.blocks
            n, start = tokens.shape[0], span.start
            if n == 0 or row + n > self.max_rows:
                raise ValueError(f"a step holds 1 to {self.max_rows} tokens, found {row + n}")
            # Not start + n > context: a huge start would wrap around.
            if n > self.context or start > self.context - n \
                    or (start + n + BLOCK - 1) // BLOCK > <size_t>blocks.shape[0]:
                raise ValueError(f"tokens {start} to {start + n} exceed the context of "
                                 f"{self.context} or the {blocks.shape[0]} blocks of the sequence")
            for i in range(n):
                if tokens[i] < 0 or <size_t>tokens[i] >= self.vocab:
                    raise ValueError(f"token id {tokens[i]} is not in 0..{self.vocab - 1}")
                self.tokens[row + i] = tokens[i]
                self.positions[row + i] = <int32_t>(start + i)
            for i in range((start + n + BLOCK - 1) // BLOCK):
                if blocks[i] < 0 or <size_t>blocks[i] >= self.n_blocks:
                    raise ValueError(f"cache block {blocks[i]} is not in 0..{self.n_blocks - 1}")
            self.spans[n_spans].first_row, self.spans[n_spans].n_rows = row, n
            self.spans[n_spans].start, self.spans[n_spans].blocks = start, &blocks[0]
            self.block_tables.append(blocks)
            wanted = rows_of(span.logits, n)
            kept = max(wanted, rows_of(span.keep, n))
            if n_logits + wanted > self.max_logit_rows:
                raise ValueError(f"a step gives logits of at most {self.max_logit_rows} tokens")
            for i in range(wanted):
                self.logit_rows[n_logits + i] = <int32_t>(row + n - wanted + i)
                self.logit_kept[n_logits + i] = <int32_t>(n_kept + kept - wanted + i)
            for i in range(kept):
                self.kept_rows[n_kept + i] = <int32_t>(row + n - kept + i)
            self.spans[n_spans].first_kept, self.spans[n_spans].n_kept = n_kept, kept
            n_logits += wanted
            n_kept += kept
            n_spans += 1
            row += n
        if row == 0:
            raise ValueError("a step needs at least one token")
        self.check_sharing(n_spans)
        self.frame.n_rows, self.frame.n_spans, self.frame.n_logit_rows = row, n_spans, n_logits
        self.frame.n_kept = n_kept
        self.frame.cancel = NULL if cancel is None else <const r.atomic_int32 *>&cancel.value
        return 0

    cdef int check_sharing(self, size_t n_spans) except -1:
        # Workers append and attend row by row, without waiting for other spans. A block that one
        # span writes must therefore belong to it alone in this step.
        cdef size_t i, s, first, last
        cdef const int32_t *blocks
        cdef int64_t mark
        if n_spans < 2:
            return 0
        for s in range(n_spans):
            first = self.spans[s].start // BLOCK
            last = (self.spans[s].start + self.spans[s].n_rows - 1) // BLOCK
            for i in range(first, last + 1):
                self.writers[self.spans[s].blocks[i]] = self.steps + <int64_t>s + 1
        for s in range(n_spans):
            mark = self.steps + <int64_t>s + 1
            blocks = self.spans[s].blocks
            for i in range((self.spans[s].start + self.spans[s].n_rows - 1) // BLOCK + 1):
                if self.writers[blocks[i]] > self.steps and self.writers[blocks[i]] != mark:
                    self.steps += <int64_t>n_spans
                    raise ValueError(f"cache block {blocks[i]} is written by another span of the "
                                     "step; tokens of one sequence go into one span, or into "
                                     "several steps")
        self.steps += <int64_t>n_spans
        return 0

    cdef size_t kept_index(self, size_t row) except? 0:
        # Where a token of the step stands among the kept rows, which ascend.
        cdef size_t n = self.frame.n_kept
        at = int(np.searchsorted(np.asarray(self.kept_rows)[:n], row))
        if at == <int>n or <size_t>self.kept_rows[at] != row:
            raise ValueError(f"row {row} is not among the {n} kept rows of the step")
        return at

    cdef list results(self):
        cdef size_t i
        return [LogitsRow(self.candidate_ids[i, :self.candidate_counts[i]],
                          self.candidate_values[i, :self.candidate_counts[i]],
                          self.log_sum_exp[i], self.finite[i] != 0, self.logits[i, :self.vocab])
                for i in range(self.frame.n_logit_rows)]
