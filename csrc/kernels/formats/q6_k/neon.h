/* q6_k panels for the templates of aarch64. The 32 that codes lie above the weights are
 * subtracted at once: their share of a sum over 16 inputs is in no record. */
#include "kernels/formats/q6_k/layout.h"
#include "kernels/util/arm_codes.h"

PI_INLINE uint8x16_t code_of(uint8x16_t nibble, uint8x16_t high, size_t j) {
    const uint8x16_t pair = j == 0   ? vshlq_n_u8(high, 4)
                            : j == 1 ? vshlq_n_u8(high, 2)
                            : j == 2 ? high
                                     : vshrq_n_u8(high, 2);
    const uint8x16_t code = vorrq_u8(nibble, vandq_u8(pair, vdupq_n_u8(48)));
    return vsubq_u8(code, vdupq_n_u8(32));
}
PI_INLINE int8x16x2_t load_pair(const struct pi_super_q6_k *group, size_t block, size_t j,
                                size_t quad) {
    const uint8x16x2_t code = pi_nibbles_of(pi_load_quad(group->q[block][j], quad));
    const uint8x16_t first = pi_load_quad(group->high[block][0], quad);
    const uint8x16_t second = pi_load_quad(group->high[block][1], quad);
    return pi_signed_pair(code_of(code.val[0], first, j), code_of(code.val[1], second, j));
}
PI_INLINE void load_part_scales(const struct pi_super_q6_k *group, size_t part,
                                float32x4_t *scale) {
    for (size_t quad = 0; quad < 4; quad++) {
        const float32x4_t d = vreinterpretq_f32_u32(vld1q_u32(group->d + 4 * quad));
        const int32x4_t lanes = vreinterpretq_s32_s8(vld1q_s8(group->scale[part / 4][4 * quad]));
        scale[quad] = vmulq_f32(d, pi_signed_byte_f32_128(lanes, part % 4));
    }
}

#define PARAM_GROUP struct pi_super_q6_k
#define PARAM_SPAN 2
#define PARAM_PART_INPUTS 16
#define PARAM_BIAS 0
#define PARAM_HAS_MIN 0
#define PARAM_LOAD_PAIR load_pair
#define PARAM_LOAD_SCALES16 load_part_scales
