/* Sums over 16 lanes: the fixed tree of the arithmetic contract, in scalar form.
 * Lane i meets i + 8, then i + 4, i + 2, i + 1, as folding a 512-bit register does. */
#ifndef PYINFER_KERNELS_UTIL_LANES16_H
#define PYINFER_KERNELS_UTIL_LANES16_H

#include "pyinfer/types.h"

PI_INLINE float pi_lanes16_sum(const float *lane) {
    float a[8];
    for (size_t i = 0; i < 8; i++) {
        a[i] = lane[i] + lane[i + 8];
    }
    for (size_t width = 4; width >= 1; width /= 2) {
        for (size_t i = 0; i < width; i++) {
            a[i] = a[i] + a[i + width];
        }
    }
    return a[0];
}

#endif
