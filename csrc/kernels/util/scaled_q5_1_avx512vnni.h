/* q5_1 for the templates of formats with scaled parts; see scaled_q6_k_avx512vnni.h. */
#ifndef PYINFER_KERNELS_UTIL_SCALED_Q5_1_AVX512VNNI_H
#define PYINFER_KERNELS_UTIL_SCALED_Q5_1_AVX512VNNI_H

#include "kernels/util/codes_avx512vnni.h"

typedef struct pi_group_q5_1 pi_scaled;
#define PI_SPAN 1
#define PI_PARTS 1
#define PI_HAS_MIN 1
#define PI_BIAS 0

typedef const pi_scaled *pi_scales;

PI_INLINE pi_scales pi_scales_of(const pi_scaled *group, size_t half) {
    (void)half;
    return group;
}
PI_INLINE __m512 pi_part_scale(const pi_scales *s, size_t part) {
    return pi_load_f16_512((*s)->scale[part]);
}
PI_INLINE __m512 pi_part_min(const pi_scales *s, size_t part) {
    return pi_load_f16_512((*s)->min[part]);
}
PI_INLINE void pi_block_codes(const pi_scaled *group, size_t block, __m512i *code) {
    pi_nibbles512(group->q[block], code);
    pi_fifth_bits512(group->high[block], code);
}

#endif
