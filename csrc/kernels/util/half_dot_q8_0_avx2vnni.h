/* Integer dots of one q8_0 block with vpdpbusd: 8 rows (half a panel) x n_tokens. The offset of the
 * weights, -128, is in the start value. */
#include "kernels/util/x86_broadcast256.h"
#include "kernels/util/x86_sum_dpbusd256.h"
#include "pyinfer/kernel_types.h"

#define GROUP struct pi_group_q8_0

PI_INLINE void block_dot(const GROUP *group, size_t b, size_t half, const struct pi_a8_group *x,
                         const size_t n_tokens, __m256i *isum) {
    for (size_t t = 0; t < n_tokens; t++) {
        isum[t] = pi_broadcast4_256(&x[t].start_q8[b]);
    }
    PI_KEEP_LOOP
    for (size_t j = 0; j < 8; j++) {
        const __m256i w_u8x32 =
            _mm256_load_si256((const __m256i *)(const void *)group->q[b][j][8 * half]);
        for (size_t t = 0; t < n_tokens; t++) {
            const __m256i q = pi_broadcast4_256(x[t].q + PI_BLOCK_INPUTS * b + 4 * j);
            isum[t] = pi_add_products(isum[t], w_u8x32, q);
        }
    }
}

#include "kernels/util/half_dot_quant_avx2.inc.h"
