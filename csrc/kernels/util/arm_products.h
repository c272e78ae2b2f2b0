/* Dot products of 4 rows x 4 inputs with four activations, on Armv8.0: products of bytes in 16 bits, added
 * in pairs. Two products of 127 and -128 stay below 2^15. */
#ifndef PYINFER_KERNELS_UTIL_ARM_PRODUCTS_H
#define PYINFER_KERNELS_UTIL_ARM_PRODUCTS_H

#include "pyinfer/types.h"
#include <arm_neon.h>

/* sum[row] += w[4 row + k] * q[4 lane + k] over k; |q| <= 127. */
PI_INLINE int32x4_t pi_products_lane(int32x4_t sum, int8x16_t w, int8x16_t q, size_t lane) {
    const int32x4_t all = vreinterpretq_s32_s8(q);
    int32x4_t four;
    switch (lane) {
    case 0: four = vdupq_laneq_s32(all, 0); break;
    case 1: four = vdupq_laneq_s32(all, 1); break;
    case 2: four = vdupq_laneq_s32(all, 2); break;
    default: four = vdupq_laneq_s32(all, 3); break;
    }
    const int8x16_t q_s8x16 = vreinterpretq_s8_s32(four);
    const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(q_s8x16));
    const int16x8_t high = vmull_high_s8(w, q_s8x16);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
}

#endif
