/* Levels of x86-64. A fill begins with the level that it builds on and replaces what it has better. */
#include "pyinfer/kernels.h"

#define EACH_FORMAT(op, isa)                                                                       \
    pi_##op##_fn pi_##op##_f32_##isa, pi_##op##_f16_##isa, pi_##op##_bf16_##isa,                   \
        pi_##op##_q8_0_##isa, pi_##op##_q4_0_##isa, pi_##op##_q5_1_##isa, pi_##op##_q2_k_##isa,    \
        pi_##op##_q4_k_##isa, pi_##op##_q5_k_##isa, pi_##op##_q6_k_##isa

#define SET_FORMATS(k, op, isa)                                                                    \
    (k)->op[PI_FORMAT_F32] = pi_##op##_f32_##isa;                                                  \
    (k)->op[PI_FORMAT_F16] = pi_##op##_f16_##isa;                                                  \
    (k)->op[PI_FORMAT_BF16] = pi_##op##_bf16_##isa;                                                \
    (k)->op[PI_FORMAT_Q8_0] = pi_##op##_q8_0_##isa;                                                \
    (k)->op[PI_FORMAT_Q4_0] = pi_##op##_q4_0_##isa;                                                \
    (k)->op[PI_FORMAT_Q5_1] = pi_##op##_q5_1_##isa;                                                \
    (k)->op[PI_FORMAT_Q2_K] = pi_##op##_q2_k_##isa;                                                \
    (k)->op[PI_FORMAT_Q4_K] = pi_##op##_q4_k_##isa;                                                \
    (k)->op[PI_FORMAT_Q5_K] = pi_##op##_q5_k_##isa;                                                \
    (k)->op[PI_FORMAT_Q6_K] = pi_##op##_q6_k_##isa

#if defined(PI_BUILD_AVX2)
EACH_FORMAT(gemv, avx2);
EACH_FORMAT(gemm, avx2);
EACH_FORMAT(pack, avx2);
pi_quantize_fn pi_quantize_f16_avx2, pi_quantize_bf16_avx2, pi_quantize_q8_0_avx2,
    pi_quantize_q4_0_avx2;
pi_dequantize_fn pi_dequantize_f16_avx2, pi_dequantize_bf16_avx2, pi_dequantize_q8_0_avx2,
    pi_dequantize_q4_0_avx2;
pi_act_a8_fn pi_act_a8_avx2;
pi_rmsnorm_fn pi_rmsnorm_f32_avx2;
pi_rope_fn pi_rope_f32_avx2;
pi_swiglu_fn pi_swiglu_f32_avx2;
pi_attn_fn pi_attn_kv_f16_avx2, pi_attn_kv_f32_avx2, pi_attn_kv_q8_0_avx2;
pi_attn_merge_fn pi_attn_merge_avx2;
pi_kv_append_fn pi_kv_append_f16_avx2;
pi_head_stats_fn pi_head_stats_f32_avx2;
pi_head_select_fn pi_head_select_f32_avx2;
pi_read_fn pi_limits_read_avx2;
pi_peak_fn pi_limits_dot_avx2, pi_limits_fma_avx2;

static void fill_avx2(struct pi_kernels *k) {
    pi_kernels_fill_scalar(k);
    SET_FORMATS(k, gemv, avx2);
    SET_FORMATS(k, gemm, avx2);
    SET_FORMATS(k, pack, avx2);
    k->quantize[PI_FORMAT_F16] = pi_quantize_f16_avx2;
    k->quantize[PI_FORMAT_BF16] = pi_quantize_bf16_avx2;
    k->quantize[PI_FORMAT_Q8_0] = pi_quantize_q8_0_avx2;
    k->quantize[PI_FORMAT_Q4_0] = pi_quantize_q4_0_avx2;
    k->dequantize[PI_FORMAT_F16] = pi_dequantize_f16_avx2;
    k->dequantize[PI_FORMAT_BF16] = pi_dequantize_bf16_avx2;
    k->dequantize[PI_FORMAT_Q8_0] = pi_dequantize_q8_0_avx2;
    k->dequantize[PI_FORMAT_Q4_0] = pi_dequantize_q4_0_avx2;
    k->act_a8 = pi_act_a8_avx2;
    k->rmsnorm = pi_rmsnorm_f32_avx2;
    k->rope = pi_rope_f32_avx2;
    k->swiglu = pi_swiglu_f32_avx2;
    k->attn_kv[PI_KV_F16] = pi_attn_kv_f16_avx2;
    k->attn_kv[PI_KV_F32] = pi_attn_kv_f32_avx2;
    k->attn_kv[PI_KV_Q8_0] = pi_attn_kv_q8_0_avx2;
    k->attn_merge = pi_attn_merge_avx2;
    k->kv_append[PI_KV_F16] = pi_kv_append_f16_avx2;
    k->head_stats = pi_head_stats_f32_avx2;
    k->head_select = pi_head_select_f32_avx2;
    k->limit_read = pi_limits_read_avx2;
    k->limit_dot = pi_limits_dot_avx2;
    k->limit_fma = pi_limits_fma_avx2;
}
#else
#define fill_avx2 NULL
#endif

#if defined(PI_BUILD_AVX2VNNI)
#define EACH_VNNI(suffix)                                                                          \
    pi_gemv_fn pi_gemv_q8_0_##suffix, pi_gemv_q4_0_##suffix;                                       \
    pi_gemm_fn pi_gemm_q8_0_##suffix, pi_gemm_q4_0_##suffix;                                       \
    pi_peak_fn pi_limits_dot_##suffix

#define SET_VNNI(k, suffix)                                                                        \
    (k)->gemv[PI_FORMAT_Q8_0] = pi_gemv_q8_0_##suffix;                                             \
    (k)->gemv[PI_FORMAT_Q4_0] = pi_gemv_q4_0_##suffix;                                             \
    (k)->gemm[PI_FORMAT_Q8_0] = pi_gemm_q8_0_##suffix;                                             \
    (k)->gemm[PI_FORMAT_Q4_0] = pi_gemm_q4_0_##suffix;                                             \
    (k)->limit_dot = pi_limits_dot_##suffix

EACH_VNNI(avx2vnni);
EACH_VNNI(avx2vnni_evex);

/* The same kernels in the encoding that this CPU has: see util/x86_sum_dpbusd256.h. */
static void fill_avx2vnni(struct pi_kernels *k) {
    fill_avx2(k);
    if (pi_cpu_features() & PI_X86_AVXVNNI) {
        SET_VNNI(k, avx2vnni);
    } else {
        SET_VNNI(k, avx2vnni_evex);
    }
}
#else
#define fill_avx2vnni NULL
#endif

#if defined(PI_BUILD_AVX512VNNI)
EACH_FORMAT(gemv, avx512vnni);
EACH_FORMAT(gemm, avx512vnni);
pi_act_a8_fn pi_act_a8_avx512vnni;
pi_rmsnorm_fn pi_rmsnorm_f32_avx512vnni;
pi_swiglu_fn pi_swiglu_f32_avx512vnni;
pi_attn_fn pi_attn_kv_f16_avx512vnni, pi_attn_kv_f32_avx512vnni, pi_attn_kv_q8_0_avx512vnni;
pi_head_stats_fn pi_head_stats_f32_avx512vnni;
pi_head_select_fn pi_head_select_f32_avx512vnni;
pi_read_fn pi_limits_read_avx512vnni;
pi_peak_fn pi_limits_dot_avx512vnni, pi_limits_fma_avx512vnni;

/* Rotation, merge, append, packing and file formats keep their AVX2 kernels: they take less than
 * 1 % of a step, or run at the speed of memory already. */
static void fill_avx512vnni(struct pi_kernels *k) {
    fill_avx2(k);
    SET_FORMATS(k, gemv, avx512vnni);
    SET_FORMATS(k, gemm, avx512vnni);
    k->act_a8 = pi_act_a8_avx512vnni;
    k->rmsnorm = pi_rmsnorm_f32_avx512vnni;
    k->swiglu = pi_swiglu_f32_avx512vnni;
    k->attn_kv[PI_KV_F16] = pi_attn_kv_f16_avx512vnni;
    k->attn_kv[PI_KV_F32] = pi_attn_kv_f32_avx512vnni;
    k->attn_kv[PI_KV_Q8_0] = pi_attn_kv_q8_0_avx512vnni;
    k->head_stats = pi_head_stats_f32_avx512vnni;
    k->head_select = pi_head_select_f32_avx512vnni;
    k->limit_read = pi_limits_read_avx512vnni;
    k->limit_dot = pi_limits_dot_avx512vnni;
    k->limit_fma = pi_limits_fma_avx512vnni;
}
#else
#define fill_avx512vnni NULL
#endif

#define AVX2 (PI_X86_AVX2 | PI_X86_FMA | PI_X86_F16C | PI_X86_BMI2)
#define AVX512 (PI_X86_AVX512F | PI_X86_AVX512BW | PI_X86_AVX512VL | PI_X86_AVX512DQ)

static const struct pi_level LEVELS[] = {
    {"avx512vnni", AVX2 | AVX512 | PI_X86_AVX512VNNI, fill_avx512vnni,
     "512-bit vectors, 8-bit dot products"},
    {"avx2vnni", AVX2 | PI_X86_VNNI256, fill_avx2vnni, "256-bit vectors, 8-bit dot products"},
    {"avx2", AVX2, fill_avx2, "256-bit vectors"},
    {"scalar", 0, pi_kernels_fill_scalar, "plain C, for any processor and many times slower"},
};

const struct pi_level *pi_levels(size_t *count) {
    *count = sizeof LEVELS / sizeof *LEVELS;
    return LEVELS;
}
