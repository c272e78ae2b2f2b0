from libc.stdint cimport int32_t, int64_t

from pyinfer._kernels.c_runtime cimport pi_frame, pi_shared, pi_span
from pyinfer._kernels.runtime cimport CancelFlag


cdef class StepState:
    cdef pi_frame frame
    cdef pi_shared shared
    cdef pi_span *spans
    cdef size_t max_rows, max_logit_rows, vocab, n_blocks, context
    cdef public size_t n_valid  # ids from here on are padding and never candidates
    cdef list keep
    cdef object logits, candidate_ids, candidate_values, log_sum_exp_array
    cdef int32_t[::1] tokens, positions, logit_rows, logit_kept, kept_rows, candidate_counts, finite
    cdef double[::1] log_sum_exp
    cdef list block_tables
    cdef int64_t[::1] writers  # per cache block: the span that writes it, counted over all steps
    cdef int64_t steps
    cdef int fill(self, spans, CancelFlag cancel) except -1
    cdef int check_sharing(self, size_t n_spans) except -1
    cdef size_t kept_index(self, size_t row) except? 0
    cdef list results(self)
