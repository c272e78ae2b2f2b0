/* q2_k panels for the AVX2 templates. */
#include "kernels/formats/q2_k/layout.h"
#include "kernels/util/codes_avx2.h"

PI_INLINE void codes(const struct pi_super_q2_k *group, size_t block, size_t half, __m256i *code) {
    pi_pairs256(group->q[block], half, code);
}
PI_INLINE __m256 part_scale(const struct pi_super_q2_k *group, size_t h, size_t part, size_t half) {
    const __m256i line = pi_load_half(group->scale[2 * h + part / 4], half);
    const __m256i scale = _mm256_and_si256(line, _mm256_set1_epi8(15));
    return _mm256_mul_ps(pi_load_f16_256(group->d + 8 * half),
                         pi_byte_f32_256(scale, (int)(part % 4)));
}
PI_INLINE __m256 part_min(const struct pi_super_q2_k *group, size_t h, size_t part, size_t half) {
    const __m256i line = pi_load_half(group->scale[2 * h + part / 4], half);
    const __m256i min = _mm256_and_si256(_mm256_srli_epi16(line, 4), _mm256_set1_epi8(15));
    const __m256 dmin = pi_minus256(pi_load_f16_256(group->dmin + 8 * half));
    return _mm256_mul_ps(dmin, pi_byte_f32_256(min, (int)(part % 4)));
}

#define PARAM_GROUP struct pi_super_q2_k
#define PARAM_SPAN 2
#define PARAM_PART_INPUTS 16
#define PARAM_BIAS 0
#define PARAM_HAS_MIN 1
#define PARAM_STEPS 4 /* 3 * 127 * 2 * 4 = 3,048 */
#define PARAM_CODES codes
#define PARAM_PART_SCALE part_scale
#define PARAM_PART_MIN part_min
