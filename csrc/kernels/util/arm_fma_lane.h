/* Multiply-add with one lane of the second factor, a constant after inlining. */
#ifndef PYINFER_KERNELS_UTIL_ARM_FMA_LANE_H
#define PYINFER_KERNELS_UTIL_ARM_FMA_LANE_H

#include "pyinfer/types.h"
#include <arm_neon.h>

PI_INLINE float32x4_t pi_fma_lane(float32x4_t sum, float32x4_t a, float32x4_t b, size_t lane) {
    switch (lane) {
    case 0: return vfmaq_laneq_f32(sum, a, b, 0);
    case 1: return vfmaq_laneq_f32(sum, a, b, 1);
    case 2: return vfmaq_laneq_f32(sum, a, b, 2);
    default: return vfmaq_laneq_f32(sum, a, b, 3);
    }
}

#endif
