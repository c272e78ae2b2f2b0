/* Levels of x86-64. A fill begins with the level that it builds on and replaces what it has better. */
#include "pyinfer/kernels.h"

/* Kernels of weight formats that a level has of its own: X(op, format, FORMAT). */
/* clang-format off */
#define AVX2_KERNELS(X) \
    X(gemv, f32, F32) X(gemm, f32, F32) X(pack, f32, F32) \
    X(gemv, f16, F16) X(gemm, f16, F16) X(pack, f16, F16) \
    X(gemv, bf16, BF16) X(gemm, bf16, BF16) X(pack, bf16, BF16) \
    X(gemv, q8_0, Q8_0) X(gemm, q8_0, Q8_0) X(pack, q8_0, Q8_0) \
    X(gemv, q4_0, Q4_0) X(gemm, q4_0, Q4_0) X(pack, q4_0, Q4_0) \
    X(gemv, q5_1, Q5_1) X(gemm, q5_1, Q5_1) X(pack, q5_1, Q5_1) \
    X(gemv, q2_k, Q2_K) X(gemm, q2_k, Q2_K) X(pack, q2_k, Q2_K) \
    X(gemv, q4_k, Q4_K) X(gemm, q4_k, Q4_K) X(pack, q4_k, Q4_K) \
    X(gemv, q5_k, Q5_K) X(gemm, q5_k, Q5_K) X(pack, q5_k, Q5_K) \
    X(gemv, q6_k, Q6_K) X(gemm, q6_k, Q6_K) X(pack, q6_k, Q6_K) \
    X(quantize, f16, F16) X(dequantize, f16, F16) \
    X(quantize, bf16, BF16) X(dequantize, bf16, BF16) \
    X(quantize, q8_0, Q8_0) X(dequantize, q8_0, Q8_0) \
    X(quantize, q4_0, Q4_0) X(dequantize, q4_0, Q4_0)
#define AVX2VNNI_KERNELS(X) \
    X(gemv, q8_0, Q8_0) X(gemm, q8_0, Q8_0) \
    X(gemv, q4_0, Q4_0) X(gemm, q4_0, Q4_0)
#define AVX512VNNI_KERNELS(X) \
    X(gemv, f32, F32) X(gemm, f32, F32) \
    X(gemv, f16, F16) X(gemm, f16, F16) \
    X(gemv, bf16, BF16) X(gemm, bf16, BF16) \
    X(gemv, q8_0, Q8_0) X(gemm, q8_0, Q8_0) \
    X(gemv, q4_0, Q4_0) X(gemm, q4_0, Q4_0) \
    X(gemv, q5_1, Q5_1) X(gemm, q5_1, Q5_1) \
    X(gemv, q2_k, Q2_K) X(gemm, q2_k, Q2_K) \
    X(gemv, q4_k, Q4_K) X(gemm, q4_k, Q4_K) \
    X(gemv, q5_k, Q5_K) X(gemm, q5_k, Q5_K) \
    X(gemv, q6_k, Q6_K) X(gemm, q6_k, Q6_K)
/* clang-format on */

#if defined(PI_BUILD_AVX2)
#define DECLARE_AVX2(op, format, NAME) pi_##op##_fn pi_##op##_##format##_avx2;
#define SET_AVX2(op, format, NAME) k->op[PI_FORMAT_##NAME] = pi_##op##_##format##_avx2;

AVX2_KERNELS(DECLARE_AVX2)
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
    AVX2_KERNELS(SET_AVX2)
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
#define DECLARE_VEX(op, format, NAME) pi_##op##_fn pi_##op##_##format##_avx2vnni;
#define DECLARE_EVEX(op, format, NAME) pi_##op##_fn pi_##op##_##format##_avx2vnni_evex;
#define SET_VEX(op, format, NAME) k->op[PI_FORMAT_##NAME] = pi_##op##_##format##_avx2vnni;
#define SET_EVEX(op, format, NAME) k->op[PI_FORMAT_##NAME] = pi_##op##_##format##_avx2vnni_evex;

AVX2VNNI_KERNELS(DECLARE_VEX)
AVX2VNNI_KERNELS(DECLARE_EVEX)
pi_peak_fn pi_limits_dot_avx2vnni, pi_limits_dot_avx2vnni_evex;

/* The same kernels in the encoding that this CPU has: see util/x86_sum_dpbusd256.h. */
static void fill_avx2vnni(struct pi_kernels *k) {
    fill_avx2(k);
    if (pi_cpu_features() & PI_X86_AVXVNNI) {
        AVX2VNNI_KERNELS(SET_VEX)
        k->limit_dot = pi_limits_dot_avx2vnni;
    } else {
        AVX2VNNI_KERNELS(SET_EVEX)
        k->limit_dot = pi_limits_dot_avx2vnni_evex;
    }
}
#else
#define fill_avx2vnni NULL
#endif

#if defined(PI_BUILD_AVX512VNNI)
#define DECLARE_AVX512VNNI(op, format, NAME) pi_##op##_fn pi_##op##_##format##_avx512vnni;
#define SET_AVX512VNNI(op, format, NAME) k->op[PI_FORMAT_##NAME] = pi_##op##_##format##_avx512vnni;

AVX512VNNI_KERNELS(DECLARE_AVX512VNNI)
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
    AVX512VNNI_KERNELS(SET_AVX512VNNI)
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
