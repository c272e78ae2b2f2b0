/* The scalar kernels: the specification, and what every level falls back to. */
#include "pyinfer/kernels.h"

/* Kernels of weight formats: X(op, format, FORMAT). */
#define FLOAT_KERNELS(X, format, NAME)                                                             \
    X(gemv, format, NAME)                                                                          \
    X(gemm, format, NAME)                                                                          \
    X(pack, format, NAME)                                                                          \
    X(unpack, format, NAME)                                                                        \
    X(embed, format, NAME)                                                                         \
    X(quantize, format, NAME)                                                                      \
    X(dequantize, format, NAME)
#define QUANTIZED_KERNELS(X, format, NAME)                                                         \
    FLOAT_KERNELS(X, format, NAME) X(quantize_weighted, format, NAME)
#define FILE_ONLY_KERNELS(X, format, NAME)                                                         \
    X(quantize, format, NAME)                                                                      \
    X(dequantize, format, NAME)                                                                    \
    X(quantize_weighted, format, NAME)                                                             \
    X(transcode, format, NAME)

#define DECLARE(op, format, NAME) pi_##op##_fn pi_##op##_##format##_scalar;
#define DECLARE_FLOAT(format, NAME, ...) FLOAT_KERNELS(DECLARE, format, NAME)
#define DECLARE_QUANTIZED(format, NAME, ...) QUANTIZED_KERNELS(DECLARE, format, NAME)
#define DECLARE_FILE_ONLY(format, NAME, ...) FILE_ONLY_KERNELS(DECLARE, format, NAME)
PI_FLOAT_FORMATS(DECLARE_FLOAT)
PI_QUANTIZED_FORMATS(DECLARE_QUANTIZED)
PI_FILE_ONLY_FORMATS(DECLARE_FILE_ONLY)

pi_fit_fn pi_fit_q4_0_scalar;
pi_act_a8_fn pi_act_a8_scalar;
pi_rmsnorm_fn pi_rmsnorm_f32_scalar;
pi_rope_fn pi_rope_f32_scalar;
pi_swiglu_fn pi_swiglu_f32_scalar;
pi_attn_fn pi_attn_kv_f16_scalar, pi_attn_kv_f32_scalar, pi_attn_kv_q8_0_scalar;
pi_attn_merge_fn pi_attn_merge_scalar;
pi_kv_append_fn pi_kv_append_f16_scalar, pi_kv_append_f32_scalar, pi_kv_append_q8_0_scalar;
pi_head_stats_fn pi_head_stats_f32_scalar;
pi_head_select_fn pi_head_select_f32_scalar;
pi_read_fn pi_limits_read_scalar;
pi_peak_fn pi_limits_dot_scalar, pi_limits_fma_scalar;

#define SET(op, format, NAME) k->op[PI_FORMAT_##NAME] = pi_##op##_##format##_scalar;
#define SET_FLOAT(format, NAME, ...) FLOAT_KERNELS(SET, format, NAME)
#define SET_QUANTIZED(format, NAME, ...) QUANTIZED_KERNELS(SET, format, NAME)
#define SET_FILE_ONLY(format, NAME, ...) FILE_ONLY_KERNELS(SET, format, NAME)

void pi_kernels_fill_scalar(struct pi_kernels *k) {
    PI_FLOAT_FORMATS(SET_FLOAT)
    PI_QUANTIZED_FORMATS(SET_QUANTIZED)
    PI_FILE_ONLY_FORMATS(SET_FILE_ONLY)
    k->fit[PI_FORMAT_Q4_0] = pi_fit_q4_0_scalar;
    k->act_a8 = pi_act_a8_scalar;
    k->rmsnorm = pi_rmsnorm_f32_scalar;
    k->rope = pi_rope_f32_scalar;
    k->swiglu = pi_swiglu_f32_scalar;
    k->attn_kv[PI_KV_F16] = pi_attn_kv_f16_scalar;
    k->attn_kv[PI_KV_F32] = pi_attn_kv_f32_scalar;
    k->attn_kv[PI_KV_Q8_0] = pi_attn_kv_q8_0_scalar;
    k->attn_merge = pi_attn_merge_scalar;
    k->kv_append[PI_KV_F16] = pi_kv_append_f16_scalar;
    k->kv_append[PI_KV_F32] = pi_kv_append_f32_scalar;
    k->kv_append[PI_KV_Q8_0] = pi_kv_append_q8_0_scalar;
    k->head_stats = pi_head_stats_f32_scalar;
    k->head_select = pi_head_select_f32_scalar;
    k->limit_read = pi_limits_read_scalar;
    k->limit_dot = pi_limits_dot_scalar;
    k->limit_fma = pi_limits_fma_scalar;
}
