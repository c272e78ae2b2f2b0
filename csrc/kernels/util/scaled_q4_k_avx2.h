/* q4_k for the templates of formats with scaled parts; see scaled_dot_avx2.inc.h. */
#include "kernels/util/codes_avx2.h"

#define GROUP struct pi_super_q4_k
#define SPAN 2
#define PARTS 1
#define HAS_MIN 1
#define BIAS 0
#define STEPS 8 /* 15 * 127 * 2 * 8 = 30,480 */

PI_INLINE void codes(const GROUP *group, size_t block, size_t half, __m256i *code) {
    pi_nibbles256(group->q[block], half, code);
}
PI_INLINE __m256 part_scale(const GROUP *group, size_t h, size_t part, size_t half) {
    return pi_scale_k4_256(group->d, group->scale, h, part, half);
}
PI_INLINE __m256 part_min(const GROUP *group, size_t h, size_t part, size_t half) {
    return pi_min_k4_256(group->dmin, group->scale, h, part, half);
}

#include "kernels/util/scaled_dot_avx2.inc.h"
