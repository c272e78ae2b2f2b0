/* q4_0 panels for the AVX2 templates with vpdpbusd.
 *
 * Dots of one q4_0 block: 8 or 16 rows (halves of a panel) x n_tokens.
 * The offset of the weights, -8, is in the start value. */
#include "kernels/formats/q4_0/nibbles_avx2.h"
#include "kernels/util/x86_broadcast256.h"
#include "kernels/util/prefetch.h"
#include "kernels/util/x86_sum_dpbusd256.h"
#include "pyinfer/kernel_types.h"

PI_INLINE void block_dot(const struct pi_group_q4_0 *group, size_t b, const size_t first,
                         const size_t n_halves, const struct pi_a8_group *x, const size_t n_tokens,
                         const bool fetch, size_t far, __m256i (*isum)[4]) {
    for (size_t t = 0; t < n_tokens; t++) {
        isum[0][t] = isum[1][t] = pi_broadcast4_256(&x[t].start_q4[b]);
    }
    PI_UNROLL(4)
    for (size_t j = 0; j < 4; j++) {
        pi_prefetch_line(group->q[b][j], fetch, far);
        __m256i low_u8x32[2];
        __m256i high_u8x32[2];
        unpack_line(group, b, j, first, n_halves, low_u8x32, high_u8x32);
        for (size_t t = 0; t < n_tokens; t++) {
            const int8_t *q = x[t].q + PI_BLOCK_INPUTS * b + 4 * j;
            const __m256i front = pi_broadcast4_256(q);
            const __m256i back = pi_broadcast4_256(q + 16);
            for (size_t h = 0; h < n_halves; h++) {
                isum[h][t] = pi_add_dots256(isum[h][t], low_u8x32[h], front);
                isum[h][t] = pi_add_dots256(isum[h][t], high_u8x32[h], back);
            }
        }
    }
}

#define PARAM_GROUP struct pi_group_q4_0
#define PARAM_START start_q4
#define PARAM_BLOCK_DOT block_dot
#define PARAM_PLANES 1
#define PARAM_UNPACK_BLOCK unpack_block
#define PARAM_ADD_PRODUCTS pi_add_dots256
#define PARAM_WIDEN pi_widen_dots256
