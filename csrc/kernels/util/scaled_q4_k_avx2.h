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
    __m256i scale;
    __m256i min;
    pi_six_bits256(group->scale, h, half, &scale, &min);
    return _mm256_mul_ps(pi_load_f16_256(group->d + 8 * half), pi_byte_f32_256(scale, (int)part));
}
PI_INLINE __m256 part_min(const GROUP *group, size_t h, size_t part, size_t half) {
    __m256i scale;
    __m256i min;
    pi_six_bits256(group->scale, h, half, &scale, &min);
    const __m256 dmin = pi_minus256(pi_load_f16_256(group->dmin + 8 * half));
    return _mm256_mul_ps(dmin, pi_byte_f32_256(min, (int)part));
}

#include "kernels/util/scaled_dot_avx2.inc.h"
