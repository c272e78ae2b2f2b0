/* Vector forms of util/exp.h and util/lanes16.h for 512-bit registers: the same operations in the
 * same order, so the same bits in every lane. */
#ifndef PYINFER_KERNELS_UTIL_X86_MATH512_H
#define PYINFER_KERNELS_UTIL_X86_MATH512_H

#include "kernels/util/exp.h"
#include <immintrin.h>

/* Operand order matters: max(a, b) is b if one of them is NaN, as the comparisons of pi_expf. */
PI_INLINE __m512 pi_exp512(__m512 x) {
    x = _mm512_max_ps(_mm512_set1_ps(PI_EXP_MIN), x);
    x = _mm512_min_ps(_mm512_set1_ps(PI_EXP_MAX), x);
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(PI_LOG2E)),
                                          _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-PI_LN2_HIGH), x);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(-PI_LN2_LOW), r);
    __m512 p = _mm512_set1_ps(PI_EXP_C6);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(PI_EXP_C5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(PI_EXP_C4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(PI_EXP_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(PI_EXP_C2));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    /* A NaN makes p NaN, and the product with whatever power comes out of it as well. */
    const __m512i exponent_i32x16 = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
    return _mm512_mul_ps(p, _mm512_castsi512_ps(_mm512_slli_epi32(exponent_i32x16, 23)));
}

PI_INLINE __m512 pi_silu512(__m512 x) {
    const __m512 negated =
        _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(x), _mm512_set1_epi32(INT32_MIN)));
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), pi_exp512(negated)));
}

/* Sum of 16 lanes by the fixed tree of pi_lanes16_sum. */
PI_INLINE float pi_sum16_512(__m512 x) {
    const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    s = _mm_add_ss(s, _mm_movehdup_ps(s));
    return _mm_cvtss_f32(s);
}

/* The first n of 16 lanes. */
PI_INLINE __mmask16 pi_first_lanes(size_t n) { return (__mmask16)((1u << n) - 1u); }

PI_INLINE __m512 pi_load_f16_512(const uint16_t *h) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)h));
}

#endif
