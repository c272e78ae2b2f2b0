/* bf16 panels for the templates of aarch64. */
#include "kernels/formats/bf16/layout.h"
#include <arm_neon.h>

/* w[input][quad] of rows 8 * half and on. */
PI_INLINE void load_lanes(const struct pi_group_16bit *group, size_t line, size_t half,
                          float32x4_t (*w)[2]) {
    for (size_t quad = 0; quad < 2; quad++) {
        const uint32x4_t both =
            vreinterpretq_u32_u16(vld1q_u16(group->w[line][8 * half + 4 * quad]));
        w[0][quad] = vreinterpretq_f32_u32(vshlq_n_u32(both, 16));
        w[1][quad] = vreinterpretq_f32_u32(vandq_u32(both, vdupq_n_u32(0xffff0000u)));
    }
}

#define PARAM_GROUP struct pi_group_16bit
#define PARAM_LINE_INPUTS 2
#define PARAM_LOAD_LANES load_lanes
