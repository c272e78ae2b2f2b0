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
/* The others: X(type, entry of the table, kernel). */
/* clang-format off */
#define OTHER_KERNELS(X) \
    X(act_a8, act_a8, act_a8) \
    X(rmsnorm, rmsnorm, rmsnorm_f32) \
    X(rope, rope, rope_f32) \
    X(swiglu, swiglu, swiglu_f32) \
    X(attn, attn_kv[PI_KV_F16], attn_kv_f16) \
    X(attn, attn_kv[PI_KV_F32], attn_kv_f32) \
    X(attn, attn_kv[PI_KV_Q8_0], attn_kv_q8_0) \
    X(attn_merge, attn_merge, attn_merge) \
    X(kv_append, kv_append[PI_KV_F16], kv_append_f16) \
    X(kv_append, kv_append[PI_KV_F32], kv_append_f32) \
    X(kv_append, kv_append[PI_KV_Q8_0], kv_append_q8_0) \
    X(head_stats, head_stats, head_stats_f32) \
    X(head_select, head_select, head_select_f32) \
    X(read, limit_read, limits_read) \
    X(peak, limit_dot, limits_dot) \
    X(peak, limit_fma, limits_fma)
/* clang-format on */

#define DECLARE_OTHER(type, entry, name) pi_##type##_fn pi_##name##_scalar;
OTHER_KERNELS(DECLARE_OTHER)

#define SET(op, format, NAME) k->op[PI_FORMAT_##NAME] = pi_##op##_##format##_scalar;
#define SET_FLOAT(format, NAME, ...) FLOAT_KERNELS(SET, format, NAME)
#define SET_QUANTIZED(format, NAME, ...) QUANTIZED_KERNELS(SET, format, NAME)
#define SET_FILE_ONLY(format, NAME, ...) FILE_ONLY_KERNELS(SET, format, NAME)

#define SET_OTHER(type, entry, name) k->entry = pi_##name##_scalar;

void pi_kernels_fill_scalar(struct pi_kernels *k) {
    PI_FLOAT_FORMATS(SET_FLOAT)
    PI_QUANTIZED_FORMATS(SET_QUANTIZED)
    PI_FILE_ONLY_FORMATS(SET_FILE_ONLY)
    k->fit[PI_FORMAT_Q4_0] = pi_fit_q4_0_scalar;
    OTHER_KERNELS(SET_OTHER)
}
