/* The scalar kernels: the specification, and what every level falls back to. */
#include "pyinfer/kernels.h"

#define PER_FORMAT(op)                                                                             \
    pi_##op##_fn pi_##op##_f32_scalar, pi_##op##_f16_scalar, pi_##op##_bf16_scalar,                \
        pi_##op##_q8_0_scalar, pi_##op##_q4_0_scalar, pi_##op##_q5_1_scalar,                       \
        pi_##op##_q2_k_scalar, pi_##op##_q4_k_scalar, pi_##op##_q5_k_scalar, pi_##op##_q6_k_scalar
#define PER_WEIGHTED_FORMAT(op)                                                                    \
    pi_##op##_fn pi_##op##_q4_0_scalar, pi_##op##_q5_1_scalar, pi_##op##_q2_k_scalar,              \
        pi_##op##_q4_k_scalar, pi_##op##_q5_k_scalar, pi_##op##_q6_k_scalar
#define PER_FILE_FORMAT(op)                                                                        \
    pi_##op##_fn pi_##op##_q4_1_scalar, pi_##op##_q5_0_scalar, pi_##op##_iq4_nl_scalar,            \
        pi_##op##_q3_k_scalar

PER_FORMAT(gemv);
PER_FORMAT(gemm);
PER_FORMAT(pack);
PER_FORMAT(unpack);
PER_FORMAT(quantize);
PER_FORMAT(dequantize);
PER_FORMAT(embed);
pi_fit_fn pi_fit_q4_0_scalar;
PER_FILE_FORMAT(quantize);
PER_FILE_FORMAT(dequantize);
PER_FILE_FORMAT(transcode);
PER_FILE_FORMAT(quantize_weighted);
PER_WEIGHTED_FORMAT(quantize_weighted);
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

#define SET_FORMATS(k, op)                                                                         \
    (k)->op[PI_FORMAT_F32] = pi_##op##_f32_scalar;                                                 \
    (k)->op[PI_FORMAT_F16] = pi_##op##_f16_scalar;                                                 \
    (k)->op[PI_FORMAT_BF16] = pi_##op##_bf16_scalar;                                               \
    (k)->op[PI_FORMAT_Q8_0] = pi_##op##_q8_0_scalar;                                               \
    SET_WEIGHTED_FORMATS(k, op)
#define SET_WEIGHTED_FORMATS(k, op)                                                                \
    (k)->op[PI_FORMAT_Q4_0] = pi_##op##_q4_0_scalar;                                               \
    (k)->op[PI_FORMAT_Q5_1] = pi_##op##_q5_1_scalar;                                               \
    (k)->op[PI_FORMAT_Q2_K] = pi_##op##_q2_k_scalar;                                               \
    (k)->op[PI_FORMAT_Q4_K] = pi_##op##_q4_k_scalar;                                               \
    (k)->op[PI_FORMAT_Q5_K] = pi_##op##_q5_k_scalar;                                               \
    (k)->op[PI_FORMAT_Q6_K] = pi_##op##_q6_k_scalar
#define SET_FILE_FORMATS(k, op)                                                                    \
    (k)->op[PI_FORMAT_Q4_1] = pi_##op##_q4_1_scalar;                                               \
    (k)->op[PI_FORMAT_Q5_0] = pi_##op##_q5_0_scalar;                                               \
    (k)->op[PI_FORMAT_IQ4_NL] = pi_##op##_iq4_nl_scalar;                                           \
    (k)->op[PI_FORMAT_Q3_K] = pi_##op##_q3_k_scalar

void pi_kernels_fill_scalar(struct pi_kernels *k) {
    SET_FORMATS(k, gemv);
    SET_FORMATS(k, gemm);
    SET_FORMATS(k, pack);
    SET_FORMATS(k, unpack);
    SET_FORMATS(k, quantize);
    SET_FORMATS(k, dequantize);
    SET_FORMATS(k, embed);
    k->fit[PI_FORMAT_Q4_0] = pi_fit_q4_0_scalar;
    SET_FILE_FORMATS(k, quantize);
    SET_FILE_FORMATS(k, dequantize);
    SET_FILE_FORMATS(k, transcode);
    SET_FILE_FORMATS(k, quantize_weighted);
    SET_WEIGHTED_FORMATS(k, quantize_weighted);
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
