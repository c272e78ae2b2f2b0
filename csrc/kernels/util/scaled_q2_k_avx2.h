/* q2_k for the templates of formats with scaled parts; see scaled_dot_avx2.inc.h. */
#include "kernels/util/codes_avx2.h"

#define GROUP struct pi_super_q2_k
#define SPAN 2
#define PARTS 2
#define HAS_MIN 1
#define BIAS 0
#define STEPS 4 /* 3 * 127 * 2 * 4 = 3,048 */

PI_INLINE void codes(const GROUP *group, size_t block, size_t half, __m256i *code) {
    pi_pairs256(group->q[block], half, code);
}
PI_INLINE __m256 part_scale(const GROUP *group, size_t h, size_t part, size_t half) {
    const __m256i line = pi_load_half(group->scale[2 * h + part / 4], half);
    const __m256i scale = _mm256_and_si256(line, _mm256_set1_epi8(15));
    return _mm256_mul_ps(pi_load_f16_256(group->d + 8 * half),
                         pi_byte_f32_256(scale, (int)(part % 4)));
}
PI_INLINE __m256 part_min(const GROUP *group, size_t h, size_t part, size_t half) {
    const __m256i line = pi_load_half(group->scale[2 * h + part / 4], half);
    const __m256i min = _mm256_and_si256(_mm256_srli_epi16(line, 4), _mm256_set1_epi8(15));
    const __m256 dmin = pi_minus256(pi_load_f16_256(group->dmin + 8 * half));
    return _mm256_mul_ps(dmin, pi_byte_f32_256(min, (int)(part % 4)));
}

#include "kernels/util/scaled_dot_avx2.inc.h"
