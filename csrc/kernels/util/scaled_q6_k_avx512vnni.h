/* q6_k for the templates of formats with scaled parts. Each such header gives:
 *
 *   pi_scaled                          packed type
 *   PI_SPAN                            groups of 128 inputs that it covers: 1 or 2
 *   PI_PARTS                           parts of a block of 32 inputs with a scale each: 1 or 2
 *   PI_HAS_MIN                         whether a part has a minimum
 *   PI_BIAS                            what the codes lie above the weights
 *   pi_scales, pi_scales_of(group, half)   the scales of 128 inputs
 *   pi_part_scale, pi_part_min(scales, part)   of its part 0..4 * PI_PARTS - 1, one lane per row;
 *                                      a format without minimums gives zeros that nobody reads
 *   pi_block_codes(group, block, code)     eight registers, one per chunk of four inputs */
#ifndef PYINFER_KERNELS_UTIL_SCALED_Q6_K_AVX512VNNI_H
#define PYINFER_KERNELS_UTIL_SCALED_Q6_K_AVX512VNNI_H

#include "kernels/util/codes_avx512vnni.h"

typedef struct pi_super_q6_k pi_scaled;
#define PI_SPAN 2
#define PI_PARTS 2
#define PI_HAS_MIN 0
#define PI_BIAS 32

typedef struct {
    __m512 d;
    __m512i scale[2];
} pi_scales;

PI_INLINE pi_scales pi_scales_of(const pi_scaled *group, size_t half) {
    return (pi_scales){
        _mm512_castsi512_ps(pi_load_line(group->d)),
        {pi_load_line(group->scale[2 * half]), pi_load_line(group->scale[2 * half + 1])}};
}
PI_INLINE __m512 pi_part_scale(const pi_scales *s, size_t part) {
    return _mm512_mul_ps(s->d, pi_signed_byte_f32_512(s->scale[part / 4], part % 4));
}
PI_INLINE __m512 pi_part_min(const pi_scales *s, size_t part) {
    (void)s;
    (void)part;
    return _mm512_setzero_ps();
}
PI_INLINE void pi_block_codes(const pi_scaled *group, size_t block, __m512i *code) {
    pi_nibbles512(group->q[block], code);
    pi_high_pairs512(group->high[block], code);
}

#endif
