/* q5_k panels for the AVX-512 templates. */
#include "kernels/formats/q5_k/layout.h"
#include "kernels/util/scales_k4_avx512vnni.h"

PI_INLINE struct pi_scales_k4 load_scales(const struct pi_super_q5_k *group, size_t half) {
    return pi_load_scales_k4(group->d, group->dmin, group->scale, half);
}
PI_INLINE void codes(const struct pi_super_q5_k *group, size_t block, __m512i *code) {
    pi_nibbles512(group->q[block], code);
    pi_fifth_bits512(group->high[block], code);
}

#define PARAM_GROUP struct pi_super_q5_k
#define PARAM_SPAN 2
#define PARAM_PART_INPUTS 32
#define PARAM_BIAS 0
#define PARAM_HAS_MIN 1
#define PARAM_SCALES struct pi_scales_k4
#define PARAM_LOAD_SCALES load_scales
#define PARAM_PART_SCALE pi_part_scale_k4
#define PARAM_PART_MIN pi_part_min_k4
#define PARAM_CODES codes
