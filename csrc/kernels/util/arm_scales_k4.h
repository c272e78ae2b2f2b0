/* Scales and minimums of a block of q4_k and q5_k: six bits each, twelve bytes per row in three lines. */
#ifndef PYINFER_KERNELS_UTIL_ARM_SCALES_K4_H
#define PYINFER_KERNELS_UTIL_ARM_SCALES_K4_H

#include "kernels/util/arm_codes.h"

PI_INLINE uint32x4_t pi_load_lanes(const pi_line line, size_t quad) {
    return vreinterpretq_u32_u8(pi_load_quad(line, quad));
}

/* Bits of byte `which` of every lane: `count` of them from bit `from` on. */
PI_INLINE uint32x4_t pi_bits_of_lanes(uint32x4_t lanes, size_t which, size_t from, size_t count) {
    const int32x4_t down = vdupq_n_s32(-(int32_t)(8 * which + from));
    return vandq_u32(vshlq_u32(lanes, down), vdupq_n_u32((1u << count) - 1));
}

/* d * scale of block `part` (0..7), or minus dmin * minimum, of 16 rows; the product is exact. */
PI_INLINE void pi_scales_k4(const uint16_t *d, const pi_line *lines, size_t part, bool minimum,
                            float32x4_t *out) {
    float32x4_t factor[4];
    pi_load16_f16_128(d, factor);
    const size_t own = minimum ? 1 : 0; /* line of the low blocks */
    for (size_t quad = 0; quad < 4; quad++) {
        uint32x4_t bits = pi_bits_of_lanes(pi_load_lanes(lines[own], quad), part % 4,
                                           part < 4 ? 0 : 6, part < 4 ? 6 : 2);
        if (part >= 4) {
            const uint32x4_t low =
                pi_bits_of_lanes(pi_load_lanes(lines[2], quad), part % 4, minimum ? 4 : 0, 4);
            bits = vorrq_u32(vshlq_n_u32(bits, 4), low);
        }
        out[quad] = vmulq_f32(factor[quad], vcvtq_f32_u32(bits));
        out[quad] = minimum ? vnegq_f32(out[quad]) : out[quad];
    }
}

#endif
