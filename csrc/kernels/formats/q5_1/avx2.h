/* q5_1 panels for the AVX2 templates. */
#include "kernels/formats/q5_1/layout.h"
#include "kernels/util/codes_avx2.h"

PI_INLINE void codes(const struct pi_group_q5_1 *group, size_t block, size_t half, __m256i *code) {
    pi_nibbles256(group->q[block], half, code);
    pi_fifth_bits256(group->high[block], half, code);
}
PI_INLINE __m256 part_scale(const struct pi_group_q5_1 *group, size_t h, size_t part, size_t half) {
    (void)h;
    return pi_load_f16_256(group->scale[part] + 8 * half);
}
PI_INLINE __m256 part_min(const struct pi_group_q5_1 *group, size_t h, size_t part, size_t half) {
    (void)h;
    return pi_load_f16_256(group->min[part] + 8 * half);
}

#define PARAM_GROUP struct pi_group_q5_1
#define PARAM_SPAN 1
#define PARAM_PART_INPUTS 32
#define PARAM_BIAS 0
#define PARAM_HAS_MIN 1
#define PARAM_STEPS 4 /* 31 * 127 * 2 * 4 = 31,496 */
#define PARAM_CODES codes
#define PARAM_PART_SCALE part_scale
#define PARAM_PART_MIN part_min
