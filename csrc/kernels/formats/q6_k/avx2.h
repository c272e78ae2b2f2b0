/* q6_k panels for the AVX2 templates. */
#include "kernels/formats/q6_k/layout.h"
#include "kernels/util/codes_avx2.h"

PI_INLINE void codes(const struct pi_super_q6_k *group, size_t block, size_t half, __m256i *code) {
    pi_nibbles256(group->q[block], half, code);
    pi_high_pairs256(group->high[block], half, code);
}
PI_INLINE __m256 part_scale(const struct pi_super_q6_k *group, size_t h, size_t part, size_t half) {
    const __m256i *line = (const __m256i *)(const void *)group->scale[2 * h + part / 4][8 * half];
    const __m256 d = _mm256_load_ps((const float *)(const void *)(group->d + 8 * half));
    return _mm256_mul_ps(d, pi_signed_byte_f32_256(_mm256_load_si256(line), (int)(part % 4)));
}

#define PARAM_GROUP struct pi_super_q6_k
#define PARAM_SPAN 2
#define PARAM_PART_INPUTS 16
#define PARAM_BIAS 32
#define PARAM_HAS_MIN 0
#define PARAM_STEPS 2 /* 63 * 127 * 2 * 2 = 32,004 */
#define PARAM_CODES codes
#define PARAM_PART_SCALE part_scale
