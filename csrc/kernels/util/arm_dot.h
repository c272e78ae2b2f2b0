/* Dot products of 4 rows x 4 inputs with four activations, by one instruction. */
#ifndef PYINFER_KERNELS_UTIL_ARM_DOT_H
#define PYINFER_KERNELS_UTIL_ARM_DOT_H

#include "pyinfer/types.h"
#include <arm_neon.h>

/* sum[row] += w[4 row + k] * q[4 lane + k] over k. The lane, a constant after inlining, has to be one of
 * the language for the instruction. */
PI_INLINE int32x4_t pi_dot_lane(int32x4_t sum, int8x16_t w, int8x16_t q, size_t lane) {
    switch (lane) {
    case 0: return vdotq_laneq_s32(sum, w, q, 0);
    case 1: return vdotq_laneq_s32(sum, w, q, 1);
    case 2: return vdotq_laneq_s32(sum, w, q, 2);
    default: return vdotq_laneq_s32(sum, w, q, 3);
    }
}

#endif
