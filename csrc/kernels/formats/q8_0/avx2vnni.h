/* q8_0 panels for the AVX2 templates with vpdpbusd.
 *
 * Dots of one q8_0 block: 8 or 16 rows (halves of a panel) x n_tokens.
 * The offset of the weights, -128, is in the start value. */
#include "kernels/formats/q8_0/layout.h"
#include "kernels/util/x86_broadcast256.h"
#include "kernels/util/prefetch.h"
#include "kernels/util/x86_sum_dpbusd256.h"
#include "pyinfer/kernel_types.h"
#include <string.h>

PI_INLINE void block_dot(const struct pi_group_q8_0 *group, size_t b, const size_t first,
                         const size_t n_halves, const struct pi_a8_group *x, const size_t n_tokens,
                         const bool fetch, size_t far, __m256i (*isum)[4]) {
    for (size_t t = 0; t < n_tokens; t++) {
        isum[0][t] = isum[1][t] = pi_broadcast4_256(&x[t].start_q8[b]);
    }
    PI_UNROLL(4)
    for (size_t j = 0; j < 8; j++) {
        pi_prefetch_line(group->q[b][j], fetch, far);
        __m256i w_u8x32[2];
        for (size_t h = 0; h < n_halves; h++) {
            w_u8x32[h] =
                _mm256_load_si256((const __m256i *)(const void *)group->q[b][j][8 * (first + h)]);
        }
        for (size_t t = 0; t < n_tokens; t++) {
            const __m256i q = pi_broadcast4_256(x[t].q + PI_BLOCK_INPUTS * b + 4 * j);
            for (size_t h = 0; h < n_halves; h++) {
                isum[h][t] = pi_add_dots256(isum[h][t], w_u8x32[h], q);
            }
        }
    }
}

/* Blocks as they are: one plane of bytes 0..255. */
PI_INLINE void unpack_block(const struct pi_group_q8_0 *group, size_t b,
                            uint8_t (*plane)[8][PI_LINE_BYTES]) {
    memcpy(plane[0], group->q[b], sizeof plane[0]);
}

#define PARAM_GROUP struct pi_group_q8_0
#define PARAM_START start_q8
#define PARAM_BLOCK_DOT block_dot
#define PARAM_PLANES 1
#define PARAM_UNPACK_BLOCK unpack_block
#define PARAM_ADD_PRODUCTS pi_add_dots256
#define PARAM_WIDEN pi_widen_dots256
