/* Vector forms of util/exp.h, util/lanes16.h and util/f16.h for 256-bit registers: the same
 * operations in the same order, so the same bits in every lane. */
#ifndef PYINFER_KERNELS_UTIL_X86_MATH256_H
#define PYINFER_KERNELS_UTIL_X86_MATH256_H

#include "kernels/util/exp.h"
#include <immintrin.h>

/* Operand order matters: max(a, b) is b if one of them is NaN, as the comparisons of pi_expf. */
PI_INLINE __m256 pi_exp256(__m256 x) {
    x = _mm256_max_ps(_mm256_set1_ps(PI_EXP_MIN), x);
    x = _mm256_min_ps(_mm256_set1_ps(PI_EXP_MAX), x);
    const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(PI_LOG2E)),
                                     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fmadd_ps(n, _mm256_set1_ps(-PI_LN2_HIGH), x);
    r = _mm256_fmadd_ps(n, _mm256_set1_ps(-PI_LN2_LOW), r);
    __m256 p = _mm256_set1_ps(PI_EXP_C6);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(PI_EXP_C5));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(PI_EXP_C4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(PI_EXP_C3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(PI_EXP_C2));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    /* A NaN makes p NaN, and the product with whatever power comes out of it as well. */
    const __m256i exponent_i32x8 = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(exponent_i32x8, 23)));
}

PI_INLINE __m256 pi_silu256(__m256 x) {
    const __m256 negated = _mm256_xor_ps(x, _mm256_set1_ps(-0.0f));
    return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), pi_exp256(negated)));
}

/* Sum of lanes 0..7 and 8..15 by the fixed tree of pi_lanes16_sum. */
PI_INLINE float pi_sum16_256(__m256 low, __m256 high) {
    const __m256 a = _mm256_add_ps(low, high);
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    s = _mm_add_ss(s, _mm_movehdup_ps(s));
    return _mm_cvtss_f32(s);
}

/* Largest unsigned magnitude of 8 values given as non-negative int32. */
PI_INLINE uint32_t pi_max_epi32_256(__m256i a) {
    __m128i m = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    m = _mm_max_epi32(m, _mm_unpackhi_epi64(m, m));
    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 1));
    return (uint32_t)_mm_cvtsi128_si32(m);
}

/* Magnitude bits of 8 floats; they order like the magnitudes, Inf and NaN on top. */
PI_INLINE __m256i pi_magnitude256(__m256 x) {
    return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff));
}

PI_INLINE __m256 pi_load_f16_256(const uint16_t *h) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)h));
}

PI_INLINE void pi_store_f16_256(uint16_t *h, __m256 x) {
    _mm_storeu_si128((__m128i *)(void *)h, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

#endif
