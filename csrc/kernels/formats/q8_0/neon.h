/* q8_0 panels for the templates of aarch64. Bytes get their sign back: dot products of
 * aarch64 are signed on both sides. */
#include "kernels/formats/q8_0/layout.h"
#include "kernels/util/arm_codes.h"

PI_INLINE int8x16x2_t load_pair(const struct pi_group_q8_0 *group, size_t block, size_t j,
                                size_t quad) {
    const uint8x16_t sign = vdupq_n_u8(0x80);
    return pi_signed_pair(veorq_u8(pi_load_quad(group->q[block][j], quad), sign),
                          veorq_u8(pi_load_quad(group->q[block][j + 4], quad), sign));
}
PI_INLINE void load_part_scales(const struct pi_group_q8_0 *group, size_t part,
                                float32x4_t *scale) {
    pi_load16_f16_128(group->scale[part], scale);
}

#define PARAM_GROUP struct pi_group_q8_0
#define PARAM_SPAN 1
#define PARAM_PART_INPUTS 32
#define PARAM_BIAS 0
#define PARAM_HAS_MIN 0
#define PARAM_LOAD_PAIR load_pair
#define PARAM_LOAD_SCALES16 load_part_scales
