/* x86-64 kernels by level, ascending: a level that is not reached returns early, a kernel that a
 * level does not have keeps the one below. */
#include "pyinfer/kernels.h"

#define EACH_FORMAT(op, isa)                                                                       \
    pi_##op##_fn pi_##op##_f32_##isa, pi_##op##_f16_##isa, pi_##op##_bf16_##isa,                   \
        pi_##op##_q8_0_##isa, pi_##op##_q4_0_##isa

#define SET_FORMATS(k, op, isa)                                                                    \
    (k)->op[PI_FORMAT_F32] = pi_##op##_f32_##isa;                                                  \
    (k)->op[PI_FORMAT_F16] = pi_##op##_f16_##isa;                                                  \
    (k)->op[PI_FORMAT_BF16] = pi_##op##_bf16_##isa;                                                \
    (k)->op[PI_FORMAT_Q8_0] = pi_##op##_q8_0_##isa;                                                \
    (k)->op[PI_FORMAT_Q4_0] = pi_##op##_q4_0_##isa

#if defined(PI_BUILD_AVX2)
static void fill_avx2(struct pi_kernels *k) { (void)k; }
#endif

#if defined(PI_BUILD_AVX512VNNI)
static void fill_avx512vnni(struct pi_kernels *k) { (void)k; }
#endif

void pi_kernels_fill_x86(struct pi_kernels *kernels, enum pi_isa isa) {
    if (isa < PI_ISA_AVX2) {
        return;
    }
#if defined(PI_BUILD_AVX2)
    fill_avx2(kernels);
#endif
    if (isa < PI_ISA_AVX512VNNI) {
        return;
    }
#if defined(PI_BUILD_AVX512VNNI)
    fill_avx512vnni(kernels);
#endif
}
