/* q4_k panels for the templates of aarch64. */
#include "kernels/formats/q4_k/layout.h"
#include "kernels/util/arm_scales_k4.h"

PI_INLINE int8x16x2_t load_pair(const struct pi_super_q4_k *group, size_t block, size_t j,
                                size_t quad) {
    const uint8x16x2_t code = pi_nibbles_of(pi_load_quad(group->q[block][j], quad));
    return pi_signed_pair(code.val[0], code.val[1]);
}
PI_INLINE void load_part_scales(const struct pi_super_q4_k *group, size_t part,
                                float32x4_t *scale) {
    pi_scales_k4(group->d, group->scale, part, false, scale);
}
PI_INLINE void load_part_mins(const struct pi_super_q4_k *group, size_t part, float32x4_t *min) {
    pi_scales_k4(group->dmin, group->scale, part, true, min);
}

#define PARAM_GROUP struct pi_super_q4_k
#define PARAM_SPAN 2
#define PARAM_PART_INPUTS 32
#define PARAM_BIAS 0
#define PARAM_HAS_MIN 1
#define PARAM_LOAD_PAIR load_pair
#define PARAM_LOAD_SCALES16 load_part_scales
#define PARAM_LOAD_MINS16 load_part_mins
