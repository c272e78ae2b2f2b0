/* Integer dots of one q4_0 block with vpdpbusd: 8 rows (half a panel) x n_tokens. The offset of the
 * weights, -8, is in the start value. */
#include "kernels/util/x86_broadcast256.h"
#include "kernels/util/x86_sum_dpbusd256.h"
#include "pyinfer/kernel_types.h"

#define GROUP struct pi_group_q4_0

PI_INLINE void block_dot(const GROUP *group, size_t b, size_t half, const struct pi_a8_group *x,
                         const size_t n_tokens, __m256i *isum) {
    const __m256i mask = _mm256_set1_epi8(15);
    for (size_t t = 0; t < n_tokens; t++) {
        isum[t] = pi_broadcast4_256(&x[t].start_q4[b]);
    }
    PI_KEEP_LOOP
    for (size_t j = 0; j < 4; j++) {
        const __m256i line =
            _mm256_load_si256((const __m256i *)(const void *)group->q[b][j][8 * half]);
        const __m256i low_u8x32 = _mm256_and_si256(line, mask);
        const __m256i high_u8x32 = _mm256_and_si256(_mm256_srli_epi16(line, 4), mask);
        for (size_t t = 0; t < n_tokens; t++) {
            const int8_t *q = x[t].q + PI_BLOCK_INPUTS * b + 4 * j;
            isum[t] = pi_add_products(isum[t], low_u8x32, pi_broadcast4_256(q));
            isum[t] = pi_add_products(isum[t], high_u8x32, pi_broadcast4_256(q + 16));
        }
    }
}

#include "kernels/util/half_dot_quant_avx2.inc.h"
