/* f16 panels for the templates of aarch64. */
#include "kernels/formats/f16/layout.h"
#include <arm_neon.h>

/* w[input][quad] of rows 8 * half and on. */
PI_INLINE void load_lanes(const struct pi_group_16bit *group, size_t line, size_t half,
                          float32x4_t (*w)[2]) {
    const uint16x8_t low = vld1q_u16(group->w[line][8 * half]);
    const uint16x8_t high = vld1q_u16(group->w[line][8 * half + 4]);
    const float16x8_t first = vreinterpretq_f16_u16(vuzp1q_u16(low, high));
    const float16x8_t second = vreinterpretq_f16_u16(vuzp2q_u16(low, high));
    w[0][0] = vcvt_f32_f16(vget_low_f16(first));
    w[0][1] = vcvt_high_f32_f16(first);
    w[1][0] = vcvt_f32_f16(vget_low_f16(second));
    w[1][1] = vcvt_high_f32_f16(second);
}

#define PARAM_GROUP struct pi_group_16bit
#define PARAM_LINE_INPUTS 2
#define PARAM_LOAD_LANES load_lanes
