/* q4_k for the templates of formats with scaled parts; see scaled_q6_k_avx512vnni.h. */
#ifndef PYINFER_KERNELS_UTIL_SCALED_Q4_K_AVX512VNNI_H
#define PYINFER_KERNELS_UTIL_SCALED_Q4_K_AVX512VNNI_H

#include "kernels/util/scales_k4_avx512vnni.h"

typedef struct pi_super_q4_k pi_scaled;
#define PI_SPAN 2
#define PI_PARTS 1
#define PI_HAS_MIN 1
#define PI_BIAS 0

PI_INLINE pi_scales pi_scales_of(const pi_scaled *group, size_t half) {
    return pi_scales_k4(group->d, group->dmin, group->scale, half);
}
PI_INLINE void pi_block_codes(const pi_scaled *group, size_t block, __m512i *code) {
    pi_nibbles512(group->q[block], code);
}

#endif
