/* q5_1 for the templates of formats with scaled parts; see scaled_dot_avx2.inc.h. */
#include "kernels/util/codes_avx2.h"

#define GROUP struct pi_group_q5_1
#define SPAN 1
#define PARTS 1
#define HAS_MIN 1
#define BIAS 0
#define STEPS 4 /* 31 * 127 * 2 * 4 = 31,496 */

PI_INLINE void codes(const GROUP *group, size_t block, size_t half, __m256i *code) {
    pi_nibbles256(group->q[block], half, code);
    pi_fifth_bits256(group->high[block], half, code);
}
PI_INLINE __m256 part_scale(const GROUP *group, size_t h, size_t part, size_t half) {
    (void)h;
    return pi_load_f16_256(group->scale[part] + 8 * half);
}
PI_INLINE __m256 part_min(const GROUP *group, size_t h, size_t part, size_t half) {
    (void)h;
    return pi_load_f16_256(group->min[part] + 8 * half);
}

#include "kernels/util/scaled_dot_avx2.inc.h"
