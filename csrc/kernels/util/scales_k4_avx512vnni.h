/* Scales and minimums of q4_k and q5_k: twelve bytes per row of six bits each, unpacked for four blocks
 * at once. Products of f16 and six bits are exact in f32. */
#ifndef PYINFER_KERNELS_UTIL_SCALES_K4_AVX512VNNI_H
#define PYINFER_KERNELS_UTIL_SCALES_K4_AVX512VNNI_H

#include "kernels/util/codes_avx512vnni.h"

struct pi_scales_k4 {
    __m512 d, minus_dmin;
    __m512i scale, min; /* byte b of a lane belongs to block b */
};

PI_INLINE struct pi_scales_k4 pi_load_scales_k4(const uint16_t *d, const uint16_t *dmin,
                                                const pi_line *lines, size_t half) {
    const __m512i six = _mm512_set1_epi8(63);
    const __m512i four = _mm512_set1_epi8(15);
    const __m512i two = _mm512_set1_epi8(48);
    const __m512i first = pi_load_line(lines[0]);
    const __m512i second = pi_load_line(lines[1]);
    struct pi_scales_k4 s = {.d = pi_load_f16_512(d)};
    s.minus_dmin = _mm512_xor_ps(pi_load_f16_512(dmin), _mm512_set1_ps(-0.0f));
    if (half == 0) {
        s.scale = _mm512_and_si512(first, six);
        s.min = _mm512_and_si512(second, six);
        return s;
    }
    const __m512i third = pi_load_line(lines[2]);
    s.scale = pi_add_bits512(_mm512_and_si512(third, four), _mm512_srli_epi16(first, 2), two);
    s.min = pi_add_bits512(_mm512_and_si512(_mm512_srli_epi16(third, 4), four),
                           _mm512_srli_epi16(second, 2), two);
    return s;
}
PI_INLINE __m512 pi_part_scale_k4(const struct pi_scales_k4 *s, size_t part) {
    return _mm512_mul_ps(s->d, pi_byte_f32_512(s->scale, part));
}
PI_INLINE __m512 pi_part_min_k4(const struct pi_scales_k4 *s, size_t part) {
    return _mm512_mul_ps(s->minus_dmin, pi_byte_f32_512(s->min, part));
}

#endif
