/* q2_k panels for the templates of aarch64. */
#include "kernels/formats/q2_k/layout.h"
#include "kernels/util/arm_codes.h"

PI_INLINE int8x16x2_t load_pair(const struct pi_super_q2_k *group, size_t block, size_t j,
                                size_t quad) {
    return pi_signed_pair(pi_pair_of(pi_load_quad(group->q[block][0], quad), j),
                          pi_pair_of(pi_load_quad(group->q[block][1], quad), j));
}
PI_INLINE void load_part_scales(const struct pi_super_q2_k *group, size_t part,
                                float32x4_t *scale) {
    float32x4_t d[4];
    pi_load16_f16_128(group->d, d);
    for (size_t quad = 0; quad < 4; quad++) {
        const uint8x16_t low = vandq_u8(pi_load_quad(group->scale[part / 4], quad), vdupq_n_u8(15));
        scale[quad] = vmulq_f32(d[quad], pi_byte_f32_128(vreinterpretq_u32_u8(low), part % 4));
    }
}
PI_INLINE void load_part_mins(const struct pi_super_q2_k *group, size_t part, float32x4_t *min) {
    float32x4_t dmin[4];
    pi_load16_f16_128(group->dmin, dmin);
    for (size_t quad = 0; quad < 4; quad++) {
        const uint8x16_t high = vshrq_n_u8(pi_load_quad(group->scale[part / 4], quad), 4);
        const float32x4_t code = pi_byte_f32_128(vreinterpretq_u32_u8(high), part % 4);
        min[quad] = vnegq_f32(vmulq_f32(dmin[quad], code));
    }
}

#define PARAM_GROUP struct pi_super_q2_k
#define PARAM_SPAN 2
#define PARAM_PART_INPUTS 16
#define PARAM_BIAS 0
#define PARAM_HAS_MIN 1
#define PARAM_LOAD_PAIR load_pair
#define PARAM_LOAD_SCALES16 load_part_scales
#define PARAM_LOAD_MINS16 load_part_mins
