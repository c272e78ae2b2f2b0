# Declarations of the runtime, the ops and the program. No logic.
from libc.stdint cimport int32_t, uint8_t, uint64_t

from pyinfer._kernels.c_api cimport (
    cbool, pi_a8_group, pi_format, pi_head_stats, pi_level, pi_status,
)

cdef extern from "pyinfer/runtime.h" nogil:
    ctypedef int32_t atomic_int32 "_Atomic int32_t"

    struct pi_walk:
        size_t n_streams
        size_t prefetch_near
        size_t prefetch_far

    struct pi_runtime:
        pi_walk walk
        size_t n_threads

    pi_status pi_runtime_create(pi_runtime **out, const pi_level *level, size_t n_threads)
    void pi_runtime_destroy(pi_runtime *rt)
    pi_status pi_measure_read(pi_runtime *rt, const pi_walk *walk, const uint8_t *data,
                              size_t bytes, double *bytes_per_second)
    pi_status pi_measure_peak(pi_runtime *rt, cbool integer, size_t rounds,
                              double *operations_per_second)
    void *pi_memory_map(size_t bytes)
    void *pi_memory_map_file(int32_t fd, uint64_t offset, size_t bytes)
    bint pi_memory_lost(const void *memory)
    void pi_memory_unmap(void *memory, size_t bytes)
    size_t pi_cpu_count()

cdef extern from "pyinfer/ops.h" nogil:
    struct pi_matrix:
        float *data
        size_t stride

    struct pi_weight:
        const uint8_t *panels
        pi_format format
        size_t n_panels
        size_t n_groups

    struct pi_span:
        size_t first_row
        size_t n_rows
        size_t start
        const int32_t *blocks
        size_t first_kept
        size_t n_kept

    struct pi_frame:
        size_t n_rows
        const int32_t *tokens
        const int32_t *positions
        size_t n_spans
        const pi_span *spans
        size_t n_logit_rows
        const int32_t *logit_rows
        const int32_t *logit_kept
        size_t n_kept
        const int32_t *kept_rows
        float *logits
        size_t logits_stride
        size_t n_candidates
        int32_t *candidate_ids
        float *candidate_values
        int32_t *candidate_counts
        double *log_sum_exp
        int32_t *finite
        const atomic_int32 *cancel

    enum pi_kv_format:
        PI_KV_F16
        PI_KV_F32
        PI_KV_Q8_0

    struct pi_kv:
        pi_kv_format format
        uint8_t *base
        size_t block_stride
        size_t head_stride

    enum pi_op_kind:
        PI_OP_EMBED
        PI_OP_LINEAR
        PI_OP_GATE_UP
        PI_OP_ATTENTION
        PI_OP_HEAD

    enum:
        PI_MAX_PARTS

    struct pi_linear:
        size_t n_parts
        pi_weight part[3]
        size_t out_col[3]
        size_t n_groups
        const float *norm
        size_t norm_n
        float eps
        const float *bias
        cbool hidden_out, hidden_in

    struct pi_attention:
        pi_kv kv
        size_t n_heads
        size_t n_kv_heads
        size_t head_dim
        size_t k_col
        size_t v_col
        float scale
        const float *q_norm
        const float *k_norm
        float eps

    struct pi_embed:
        pi_weight weight

    struct pi_head:
        pi_linear linear
        size_t n_valid

    union pi_op_body:
        pi_embed embed
        pi_linear linear
        pi_attention attention
        pi_head head

    struct pi_op:
        pi_op_kind kind
        cbool kept_in, kept_out, gathers
        pi_matrix input "in"
        pi_matrix out
        pi_matrix residual
        pi_op_body u

    struct pi_rope:
        const double *inverse_frequency
        double attention_factor
        size_t half
        float *cos
        float *sin

    struct pi_shared:
        pi_rope rope
        float *normed
        size_t normed_stride
        pi_a8_group *a8
        pi_a8_group *hidden
        float *partials
        pi_head_stats *head_stats
        size_t max_segments

    size_t pi_op_scratch_bytes(const pi_op *op)
    size_t pi_attention_partials(const pi_attention *op, size_t n_threads, size_t max_segments)

    struct pi_pack_job:
        uint8_t *panels
        pi_format to
        const uint8_t *rows
        pi_format from_ "from"
        size_t row_bytes
        size_t n_rows
        size_t n_cols

    pi_status pi_pack_rows(pi_runtime *rt, const pi_pack_job *job)

    struct pi_file_job:
        int32_t fd
        uint64_t offset
        pi_pack_job pack
        float *values

    struct pi_file_failure:
        size_t job
        uint64_t offset
        int32_t error

    pi_status pi_pack_files(pi_runtime *rt, const pi_file_job *jobs, size_t n_jobs,
                            pi_file_failure *failure)

    size_t PI_CHECKSUM_BYTES
    pi_status pi_checksums(pi_runtime *rt, const uint8_t *data, size_t bytes, uint64_t *sums)

cdef extern from "pyinfer/program.h" nogil:
    struct pi_program:
        const pi_op *ops
        size_t n_ops
        pi_shared shared

    pi_status pi_program_run(pi_runtime *rt, const pi_program *program, const pi_frame *frame)
