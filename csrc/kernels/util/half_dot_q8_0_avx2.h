/* Integer dots of one q8_0 block: 8 rows (half a panel) x n_tokens.
 *
 * maddubs would saturate on bytes up to 255. Each byte is split into its nibbles, w = low + 16 high,
 * and both are summed as q4_0 does: 15 * 127 * 2 * 8 = 30,480 fits int16, and the widening madd
 * multiplies the high sums by 16. Four operations per line and token, as with abs and sign, but
 * two of them are plain additions, which more ports can do. */
#include "kernels/util/x86_memory.h"
#include "pyinfer/kernel_types.h"

#define GROUP struct pi_group_q8_0
#define START start_q8

PI_INLINE void block_dot(const GROUP *group, size_t b, size_t half, const struct pi_a8_group *x,
                         const size_t n_tokens, __m256i *isum) {
    const __m256i mask = _mm256_set1_epi8(15);
    __m256i low_i16x16[4];
    __m256i high_i16x16[4];
    for (size_t j = 0; j < 8; j++) {
        const __m256i line =
            _mm256_load_si256((const __m256i *)(const void *)group->q[b][j][8 * half]);
        const __m256i low_u8x32 = _mm256_and_si256(line, mask);
        const __m256i high_u8x32 = _mm256_and_si256(_mm256_srli_epi16(line, 4), mask);
        for (size_t t = 0; t < n_tokens; t++) {
            const __m256i q = pi_broadcast4_256(x[t].q + PI_BLOCK_INPUTS * b + 4 * j);
            const __m256i low = _mm256_maddubs_epi16(low_u8x32, q);
            const __m256i high = _mm256_maddubs_epi16(high_u8x32, q);
            low_i16x16[t] = j ? _mm256_add_epi16(low_i16x16[t], low) : low;
            high_i16x16[t] = j ? _mm256_add_epi16(high_i16x16[t], high) : high;
        }
    }
    for (size_t t = 0; t < n_tokens; t++) {
        isum[t] = _mm256_add_epi32(_mm256_madd_epi16(low_i16x16[t], _mm256_set1_epi16(1)),
                                   _mm256_madd_epi16(high_i16x16[t], _mm256_set1_epi16(16)));
    }
}

#include "kernels/util/half_dot_quant_avx2.inc.h"
