/* q2_k for the templates of formats with scaled parts; see scaled_q6_k_avx512vnni.h. */
#ifndef PYINFER_KERNELS_UTIL_SCALED_Q2_K_AVX512VNNI_H
#define PYINFER_KERNELS_UTIL_SCALED_Q2_K_AVX512VNNI_H

#include "kernels/util/codes_avx512vnni.h"

typedef struct pi_super_q2_k pi_scaled;
#define PI_SPAN 2
#define PI_PARTS 2
#define PI_HAS_MIN 1
#define PI_BIAS 0

typedef struct {
    __m512 d, minus_dmin;
    __m512i scale[2], min[2];
} pi_scales;

PI_INLINE pi_scales pi_scales_of(const pi_scaled *group, size_t half) {
    const __m512i four = _mm512_set1_epi8(15);
    pi_scales s = {.d = pi_load_f16_512(group->d)};
    s.minus_dmin = _mm512_xor_ps(pi_load_f16_512(group->dmin), _mm512_set1_ps(-0.0f));
    for (size_t i = 0; i < 2; i++) {
        const __m512i line = pi_load_line(group->scale[2 * half + i]);
        s.scale[i] = _mm512_and_si512(line, four);
        s.min[i] = _mm512_and_si512(_mm512_srli_epi16(line, 4), four);
    }
    return s;
}
PI_INLINE __m512 pi_part_scale(const pi_scales *s, size_t part) {
    return _mm512_mul_ps(s->d, pi_byte_f32_512(s->scale[part / 4], part % 4));
}
PI_INLINE __m512 pi_part_min(const pi_scales *s, size_t part) {
    return _mm512_mul_ps(s->minus_dmin, pi_byte_f32_512(s->min[part / 4], part % 4));
}
PI_INLINE void pi_block_codes(const pi_scaled *group, size_t block, __m512i *code) {
    pi_pairs512(group->q[block], code);
}

#endif
