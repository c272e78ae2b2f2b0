/* q5_1 panels for the AVX-512 templates. */
#include "kernels/formats/q5_1/layout.h"
#include "kernels/util/codes_avx512vnni.h"

PI_INLINE const struct pi_group_q5_1 *load_scales(const struct pi_group_q5_1 *group, size_t half) {
    (void)half;
    return group;
}
PI_INLINE __m512 part_scale(const struct pi_group_q5_1 *const *s, size_t part) {
    return pi_load_f16_512((*s)->scale[part]);
}
PI_INLINE __m512 part_min(const struct pi_group_q5_1 *const *s, size_t part) {
    return pi_load_f16_512((*s)->min[part]);
}
PI_INLINE void codes(const struct pi_group_q5_1 *group, size_t block, __m512i *code) {
    pi_nibbles512(group->q[block], code);
    pi_fifth_bits512(group->high[block], code);
}

#define PARAM_GROUP struct pi_group_q5_1
#define PARAM_SPAN 1
#define PARAM_PART_INPUTS 32
#define PARAM_BIAS 0
#define PARAM_HAS_MIN 1
#define PARAM_SCALES const struct pi_group_q5_1 *
#define PARAM_LOAD_SCALES load_scales
#define PARAM_PART_SCALE part_scale
#define PARAM_PART_MIN part_min
#define PARAM_CODES codes
