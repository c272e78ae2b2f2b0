# Declarations of the C headers. No logic.
from libc.stdint cimport int32_t, uint8_t, uint32_t

cdef extern from "stdbool.h" nogil:
    ctypedef bint cbool "bool"

cdef extern from "pyinfer/formats.h" nogil:
    enum pi_format:
        PI_FORMAT_F32
        PI_FORMAT_COUNT
        PI_FILE_FORMAT_COUNT

cdef extern from "pyinfer/types.h" nogil:
    enum pi_status:
        PI_OK
        PI_ERR_NOMEM
        PI_ERR_UNSUPPORTED
        PI_ERR_ARG
        PI_ERR_CANCELLED
        PI_ERR_NUMERIC
        PI_ERR_FORKED
        PI_ERR_IO

    int PI_PANEL_ROWS
    int PI_GROUP_INPUTS
    int PI_BLOCK_INPUTS
    int PI_TILE_TOKENS
    int PI_KV_BLOCK_TOKENS
    int PI_KV_TILE_TOKENS
    int PI_KV_SEGMENT_TOKENS
    int PI_HEAD_CHUNK_ROWS
    int PI_MAX_STREAMS
    int PI_LINE_BYTES

cdef extern from "pyinfer/panels.h" nogil:
    struct pi_a8_group:
        pass

cdef extern from "pyinfer/qtype.h" nogil:
    struct pi_qtype:
        const char *name
        size_t block_inputs
        size_t block_bytes
        size_t group_bytes
        cbool quantized
        pi_format panel
        int32_t ggml_type

    const pi_qtype *pi_qtype_of(pi_format format)

cdef extern from "pyinfer/cpu.h" nogil:
    enum:
        PI_CPU_NAME_BYTES
    uint32_t pi_cpu_features()
    void pi_cpu_name(char *name)
    const char *pi_cpu_feature_name(unsigned int bit)

cdef extern from "pyinfer/levels.h" nogil:
    struct pi_level:
        const char *name
        uint32_t needs
        void *fill
        const char *description

    const pi_level *pi_levels(size_t *count)
    const pi_level *pi_level_find(const char *name)

cdef extern from "pyinfer/fpmode.h" nogil:
    unsigned int pi_fpmode_enter()
    void pi_fpmode_leave(unsigned int saved)

cdef extern from "pyinfer/kernel_types.h" nogil:
    struct pi_gemv_args:
        const uint8_t *w[4]
        float *out[4]
        size_t n_streams
        size_t n_panels
        size_t n_groups
        size_t n_tokens
        const void *x
        size_t x_stride
        size_t out_stride
        size_t prefetch_near
        size_t prefetch_far

    struct pi_gemm_args:
        const uint8_t *w
        size_t panel_stride
        size_t n_panels
        size_t n_groups
        size_t n_tiles
        const void *x
        size_t x_stride
        float *out
        size_t out_stride
        cbool accumulate

    struct pi_attn_args:
        const float *q
        size_t q_stride
        const pi_a8_group *q8
        size_t q8_stride
        const int32_t *limit
        size_t n_queries
        size_t head_dim
        size_t v_stride
        const uint8_t *kv
        size_t block_stride
        const int32_t *block_table
        size_t first
        size_t last
        size_t end
        float *m
        float *l
        float *o

    struct pi_attn_merge_args:
        float *m
        float *l
        float *o
        size_t m_step
        size_t l_step
        size_t o_step
        size_t n_parts
        size_t head_dim
        float *out

    struct pi_head_stats:
        float max
        float sum
        int32_t finite

cdef extern from "pyinfer/kernels.h" nogil:
    ctypedef void (*pi_gemv_ptr "pi_gemv_fn *")(const pi_gemv_args *args) noexcept
    ctypedef void (*pi_gemm_ptr "pi_gemm_fn *")(const pi_gemm_args *args) noexcept
    ctypedef void (*pi_pack_ptr "pi_pack_fn *")(
        uint8_t *panel, const uint8_t *rows, size_t row_bytes, size_t n_rows,
        size_t n_cols) noexcept
    ctypedef void (*pi_unpack_ptr "pi_unpack_fn *")(
        uint8_t *rows, const uint8_t *panel, size_t row_bytes, size_t n_rows,
        size_t n_cols) noexcept
    ctypedef void (*pi_quantize_ptr "pi_quantize_fn *")(
        void *blocks, const float *x, size_t n) noexcept
    ctypedef void (*pi_quantize_weighted_ptr "pi_quantize_weighted_fn *")(
        void *blocks, const float *x, const float *importance, size_t n) noexcept
    ctypedef void (*pi_dequantize_ptr "pi_dequantize_fn *")(
        float *x, const void *blocks, size_t n) noexcept
    ctypedef void (*pi_fit_ptr "pi_fit_fn *")(
        void *blocks, const float *x, const float *importance, size_t n) noexcept
    ctypedef void (*pi_act_a8_ptr "pi_act_a8_fn *")(
        pi_a8_group *out, size_t stride, const float *x, size_t n_groups) noexcept
    ctypedef void (*pi_embed_ptr "pi_embed_fn *")(
        float *out, const uint8_t *panels, size_t row, size_t n_groups) noexcept
    ctypedef void (*pi_rmsnorm_ptr "pi_rmsnorm_fn *")(
        float *y, const float *x, const float *w, size_t n, size_t n_padded, float eps) noexcept
    ctypedef void (*pi_rope_ptr "pi_rope_fn *")(
        float *x, const float *cos, const float *sin, size_t half, float scale) noexcept
    ctypedef void (*pi_swiglu_ptr "pi_swiglu_fn *")(
        float *h, const float *gate, const float *up, size_t n) noexcept
    ctypedef void (*pi_attn_ptr "pi_attn_fn *")(const pi_attn_args *args) noexcept
    ctypedef void (*pi_attn_merge_ptr "pi_attn_merge_fn *")(
        const pi_attn_merge_args *args) noexcept
    ctypedef void (*pi_kv_append_ptr "pi_kv_append_fn *")(
        uint8_t *block, const float *k, const float *v, size_t slot, size_t head_dim,
        size_t v_stride) noexcept
    ctypedef void (*pi_head_stats_ptr "pi_head_stats_fn *")(
        pi_head_stats *stats, const float *logits, size_t n) noexcept
    ctypedef size_t (*pi_head_select_ptr "pi_head_select_fn *")(
        int32_t *index, size_t capacity, const float *logits, size_t n,
        float threshold) noexcept

    # Arrays are pointers here: their lengths are the business of the C table.
    struct pi_kernels:
        const pi_level *level
        pi_gemv_ptr *gemv
        pi_gemm_ptr *gemm
        pi_pack_ptr *pack
        pi_unpack_ptr *unpack
        pi_quantize_ptr *quantize
        pi_quantize_weighted_ptr *quantize_weighted
        pi_dequantize_ptr *dequantize
        pi_fit_ptr *fit
        pi_embed_ptr *embed
        pi_act_a8_ptr act_a8
        pi_rmsnorm_ptr rmsnorm
        pi_rope_ptr rope
        pi_swiglu_ptr swiglu
        pi_attn_ptr *attn_kv
        pi_attn_merge_ptr attn_merge
        pi_kv_append_ptr *kv_append
        pi_head_stats_ptr head_stats
        pi_head_select_ptr head_select

    pi_status pi_kernels_init(pi_kernels *kernels, const pi_level *level)
