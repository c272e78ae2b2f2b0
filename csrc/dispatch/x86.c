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

/* The others: X(type, entry of the table, kernel). */
#define AVX2_OTHERS(X) \
    X(act_a8, act_a8, act_a8) \
    X(rmsnorm, rmsnorm, rmsnorm_f32) \
    X(rope, rope, rope_f32) \
    X(swiglu, swiglu, swiglu_f32) \
    X(attn, attn_kv[PI_KV_F16], attn_kv_f16) \
    X(attn, attn_kv[PI_KV_F32], attn_kv_f32) \
    X(attn, attn_kv[PI_KV_Q8_0], attn_kv_q8_0) \
    X(attn_merge, attn_merge, attn_merge) \
    X(kv_append, kv_append[PI_KV_F16], kv_append_f16) \
    X(head_stats, head_stats, head_stats_f32) \
    X(head_select, head_select, head_select_f32) \
    X(read, limit_read, limits_read) \
    X(peak, limit_dot, limits_dot) \
    X(peak, limit_fma, limits_fma)
#define AVX2VNNI_OTHERS(X) \
    X(peak, limit_dot, limits_dot)
#define AVX512VNNI_OTHERS(X) \
    X(act_a8, act_a8, act_a8) \
    X(rmsnorm, rmsnorm, rmsnorm_f32) \
    X(swiglu, swiglu, swiglu_f32) \
    X(attn, attn_kv[PI_KV_F16], attn_kv_f16) \
    X(attn, attn_kv[PI_KV_F32], attn_kv_f32) \
    X(attn, attn_kv[PI_KV_Q8_0], attn_kv_q8_0) \
    X(head_stats, head_stats, head_stats_f32) \
    X(head_select, head_select, head_select_f32) \
    X(read, limit_read, limits_read) \
    X(peak, limit_dot, limits_dot) \
    X(peak, limit_fma, limits_fma)
/* clang-format on */

#if defined(PI_BUILD_AVX2)
#define DECLARE_AVX2(op, format, NAME) pi_##op##_fn pi_##op##_##format##_avx2;
#define SET_AVX2(op, format, NAME) k->op[PI_FORMAT_##NAME] = pi_##op##_##format##_avx2;
#define DECLARE_OTHER_AVX2(type, entry, name) pi_##type##_fn pi_##name##_avx2;
#define SET_OTHER_AVX2(type, entry, name) k->entry = pi_##name##_avx2;

AVX2_KERNELS(DECLARE_AVX2)
AVX2_OTHERS(DECLARE_OTHER_AVX2)

static void fill_avx2(struct pi_kernels *k) {
    pi_kernels_fill_scalar(k);
    AVX2_KERNELS(SET_AVX2)
    AVX2_OTHERS(SET_OTHER_AVX2)
}
#else
#define fill_avx2 NULL
#endif

#if defined(PI_BUILD_AVX2VNNI)
#define DECLARE_VEX(op, format, NAME) pi_##op##_fn pi_##op##_##format##_avx2vnni;
#define DECLARE_EVEX(op, format, NAME) pi_##op##_fn pi_##op##_##format##_avx2vnni_evex;
#define DECLARE_OTHER_VEX(type, entry, name) pi_##type##_fn pi_##name##_avx2vnni;
#define DECLARE_OTHER_EVEX(type, entry, name) pi_##type##_fn pi_##name##_avx2vnni_evex;
#define SET_OTHER_VEX(type, entry, name) k->entry = pi_##name##_avx2vnni;
#define SET_OTHER_EVEX(type, entry, name) k->entry = pi_##name##_avx2vnni_evex;
#define SET_VEX(op, format, NAME) k->op[PI_FORMAT_##NAME] = pi_##op##_##format##_avx2vnni;
#define SET_EVEX(op, format, NAME) k->op[PI_FORMAT_##NAME] = pi_##op##_##format##_avx2vnni_evex;

AVX2VNNI_KERNELS(DECLARE_VEX)
AVX2VNNI_KERNELS(DECLARE_EVEX)
AVX2VNNI_OTHERS(DECLARE_OTHER_VEX)
AVX2VNNI_OTHERS(DECLARE_OTHER_EVEX)

/* The same kernels in the encoding that this CPU has: see util/x86_sum_dpbusd256.h. */
static void fill_avx2vnni(struct pi_kernels *k) {
    fill_avx2(k);
    if (pi_cpu_features() & PI_X86_AVXVNNI) {
        AVX2VNNI_KERNELS(SET_VEX)
        AVX2VNNI_OTHERS(SET_OTHER_VEX)
    } else {
        AVX2VNNI_KERNELS(SET_EVEX)
        AVX2VNNI_OTHERS(SET_OTHER_EVEX)
    }
}
#else
#define fill_avx2vnni NULL
#endif

#if defined(PI_BUILD_AVX512VNNI)
#define DECLARE_AVX512VNNI(op, format, NAME) pi_##op##_fn pi_##op##_##format##_avx512vnni;
#define SET_AVX512VNNI(op, format, NAME) k->op[PI_FORMAT_##NAME] = pi_##op##_##format##_avx512vnni;
#define DECLARE_OTHER_AVX512VNNI(type, entry, name) pi_##type##_fn pi_##name##_avx512vnni;
#define SET_OTHER_AVX512VNNI(type, entry, name) k->entry = pi_##name##_avx512vnni;

AVX512VNNI_KERNELS(DECLARE_AVX512VNNI)
AVX512VNNI_OTHERS(DECLARE_OTHER_AVX512VNNI)

/* Rotation, merge, append, packing and file formats keep their AVX2 kernels: they take less than
 * 1 % of a step, or run at the speed of memory already. */
static void fill_avx512vnni(struct pi_kernels *k) {
    fill_avx2(k);
    AVX512VNNI_KERNELS(SET_AVX512VNNI)
    AVX512VNNI_OTHERS(SET_OTHER_AVX512VNNI)
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
