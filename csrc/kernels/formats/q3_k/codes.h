/* Scales of a q3_k file block. */
#ifndef PYINFER_KERNELS_FORMATS_Q3_K_CODES_H
#define PYINFER_KERNELS_FORMATS_Q3_K_CODES_H

#include "kernels/formats/q3_k/layout.h"
#include "kernels/util/block_codes.h"

/* Scale of part p (0..15) of q3_k, -32..31. */
PI_INLINE int pi_scale_k3(const uint8_t *scales, size_t p) {
    const unsigned low = (unsigned)scales[p % 8] >> p / 8 * 4 & 15u;
    return (int)(low | ((unsigned)scales[8 + p % 4] >> p / 4 * 2 & 3u) << 4) - 32;
}
PI_INLINE void pi_set_scales_k3(uint8_t *scales, const int8_t *scale) {
    memset(scales, 0, 12);
    for (size_t p = 0; p < 16; p++) {
        const unsigned value = (unsigned)(scale[p] + 32);
        scales[p % 8] = (uint8_t)(scales[p % 8] | (value & 15) << p / 8 * 4);
        scales[8 + p % 4] = (uint8_t)(scales[8 + p % 4] | (value >> 4) << p / 4 * 2);
    }
}

#endif
