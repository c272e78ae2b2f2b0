/* Levels of aarch64. A fill begins with the level that it builds on and replaces what it has better. */
#include "pyinfer/kernels.h"

/* Kernels of weight formats that a level has of its own: X(op, format, FORMAT). */
/* clang-format off */
#define NEON_KERNELS(X) \
    X(gemv, f32, F32) X(gemm, f32, F32) \
    X(gemv, f16, F16) X(gemm, f16, F16) \
    X(gemv, bf16, BF16) X(gemm, bf16, BF16) \
    NEONDOT_KERNELS(X)
#define NEONDOT_KERNELS(X) \
    X(gemv, q8_0, Q8_0) X(gemm, q8_0, Q8_0) \
    X(gemv, q4_0, Q4_0) X(gemm, q4_0, Q4_0) \
    X(gemv, q5_1, Q5_1) X(gemm, q5_1, Q5_1) \
    X(gemv, q2_k, Q2_K) X(gemm, q2_k, Q2_K) \
    X(gemv, q4_k, Q4_K) X(gemm, q4_k, Q4_K) \
    X(gemv, q5_k, Q5_K) X(gemm, q5_k, Q5_K) \
    X(gemv, q6_k, Q6_K) X(gemm, q6_k, Q6_K)
#define NEONI8MM_KERNELS(X) \
    X(gemm, q8_0, Q8_0) X(gemm, q4_0, Q4_0) X(gemm, q5_1, Q5_1) X(gemm, q2_k, Q2_K) \
    X(gemm, q4_k, Q4_K) X(gemm, q5_k, Q5_K) X(gemm, q6_k, Q6_K)

/* The others: X(type, entry of the table, kernel). */
#define NEON_OTHERS(X) \
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
#define NEONDOT_OTHERS(X) \
    X(attn, attn_kv[PI_KV_Q8_0], attn_kv_q8_0) \
    X(peak, limit_dot, limits_dot)
#define NEONI8MM_OTHERS(X) \
    X(peak, limit_dot, limits_dot)
/* clang-format on */

#if defined(PI_BUILD_NEON)
#define DECLARE_NEON(op, format, NAME) pi_##op##_fn pi_##op##_##format##_neon;
#define SET_NEON(op, format, NAME) k->op[PI_FORMAT_##NAME] = pi_##op##_##format##_neon;
#define DECLARE_OTHER_NEON(type, entry, name) pi_##type##_fn pi_##name##_neon;
#define SET_OTHER_NEON(type, entry, name) k->entry = pi_##name##_neon;

NEON_KERNELS(DECLARE_NEON)
NEON_OTHERS(DECLARE_OTHER_NEON)

static void fill_neon(struct pi_kernels *k) {
    pi_kernels_fill_scalar(k);
    NEON_KERNELS(SET_NEON)
    NEON_OTHERS(SET_OTHER_NEON)
}
#else
#define fill_neon NULL
#endif

#if defined(PI_BUILD_NEONDOT)
#define DECLARE_NEONDOT(op, format, NAME) pi_##op##_fn pi_##op##_##format##_neondot;
#define SET_NEONDOT(op, format, NAME) k->op[PI_FORMAT_##NAME] = pi_##op##_##format##_neondot;
#define DECLARE_OTHER_NEONDOT(type, entry, name) pi_##type##_fn pi_##name##_neondot;
#define SET_OTHER_NEONDOT(type, entry, name) k->entry = pi_##name##_neondot;

NEONDOT_KERNELS(DECLARE_NEONDOT)
NEONDOT_OTHERS(DECLARE_OTHER_NEONDOT)

static void fill_neondot(struct pi_kernels *k) {
    fill_neon(k);
    NEONDOT_KERNELS(SET_NEONDOT)
    NEONDOT_OTHERS(SET_OTHER_NEONDOT)
}
#else
#define fill_neondot NULL
#endif

#if defined(PI_BUILD_NEONI8MM)
#define DECLARE_NEONI8MM(op, format, NAME) pi_##op##_fn pi_##op##_##format##_neoni8mm;
#define SET_NEONI8MM(op, format, NAME) k->op[PI_FORMAT_##NAME] = pi_##op##_##format##_neoni8mm;
#define DECLARE_OTHER_NEONI8MM(type, entry, name) pi_##type##_fn pi_##name##_neoni8mm;
#define SET_OTHER_NEONI8MM(type, entry, name) k->entry = pi_##name##_neoni8mm;

NEONI8MM_KERNELS(DECLARE_NEONI8MM)
NEONI8MM_OTHERS(DECLARE_OTHER_NEONI8MM)

static void fill_neoni8mm(struct pi_kernels *k) {
    fill_neondot(k);
    NEONI8MM_KERNELS(SET_NEONI8MM)
    NEONI8MM_OTHERS(SET_OTHER_NEONI8MM)
}
#else
#define fill_neoni8mm NULL
#endif

static const struct pi_level LEVELS[] = {
    {"neoni8mm", PI_ARM_ASIMD | PI_ARM_DOTPROD | PI_ARM_I8MM, fill_neoni8mm,
     "128-bit vectors, 8-bit matrix and dot products"},
    {"neondot", PI_ARM_ASIMD | PI_ARM_DOTPROD, fill_neondot, "128-bit vectors, 8-bit dot products"},
    {"neon", PI_ARM_ASIMD, fill_neon, "128-bit vectors"},
    {"scalar", 0, pi_kernels_fill_scalar, "plain C, for any processor and many times slower"},
};

const struct pi_level *pi_levels(size_t *count) {
    *count = sizeof LEVELS / sizeof *LEVELS;
    return LEVELS;
}
