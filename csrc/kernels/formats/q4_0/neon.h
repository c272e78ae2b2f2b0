/* q4_0 panels for the templates of aarch64. */
#include "kernels/formats/q4_0/layout.h"
#include "kernels/util/arm_codes.h"

PI_INLINE int8x16x2_t load_pair(const struct pi_group_q4_0 *group, size_t block, size_t j,
                                size_t quad) {
    const uint8x16x2_t code = pi_nibbles_of(pi_load_quad(group->q[block][j], quad));
    return pi_signed_pair(code.val[0], code.val[1]);
}
PI_INLINE void load_part_scales(const struct pi_group_q4_0 *group, size_t part,
                                float32x4_t *scale) {
    pi_load16_f16_128(group->scale[part], scale);
}

#define PARAM_GROUP struct pi_group_q4_0
#define PARAM_SPAN 1
#define PARAM_PART_INPUTS 32
#define PARAM_BIAS 8
#define PARAM_HAS_MIN 0
#define PARAM_LOAD_PAIR load_pair
#define PARAM_LOAD_SCALES16 load_part_scales
#define PARAM_START start_q4
