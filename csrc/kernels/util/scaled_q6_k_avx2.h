/* q6_k for the templates of formats with scaled parts; see scaled_dot_avx2.inc.h. */
#include "kernels/util/codes_avx2.h"

#define GROUP struct pi_super_q6_k
#define SPAN 2
#define PARTS 2
#define HAS_MIN 0
#define BIAS 32
#define STEPS 2 /* 63 * 127 * 2 * 2 = 32,004 */

PI_INLINE void codes(const GROUP *group, size_t block, size_t half, __m256i *code) {
    pi_nibbles256(group->q[block], half, code);
    pi_high_pairs256(group->high[block], half, code);
}
PI_INLINE __m256 part_scale(const GROUP *group, size_t h, size_t part, size_t half) {
    const __m256i *line = (const __m256i *)(const void *)group->scale[2 * h + part / 4][8 * half];
    const __m256 d = _mm256_load_ps((const float *)(const void *)(group->d + 8 * half));
    return _mm256_mul_ps(d, pi_signed_byte_f32_256(_mm256_load_si256(line), (int)(part % 4)));
}
/* There is none. */
PI_INLINE __m256 part_min(const GROUP *group, size_t h, size_t part, size_t half) {
    (void)group;
    (void)(h + part + half);
    return _mm256_setzero_ps();
}

#include "kernels/util/scaled_dot_avx2.inc.h"
