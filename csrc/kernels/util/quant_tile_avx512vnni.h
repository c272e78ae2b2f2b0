/* Dots of one block of 32 inputs for a register tile: up to 2 panels x 8 tokens.
 *
 * Needs the block header of the format (block_<format>_avx512vnni.h), included before. */
#ifndef PYINFER_KERNELS_UTIL_QUANT_TILE_AVX512VNNI_H
#define PYINFER_KERNELS_UTIL_QUANT_TILE_AVX512VNNI_H

#include "kernels/util/x86_dot512.h"

/* The integer accumulators start at the broadcast of -bias * sum(q), so the offset of the weights
 * costs a load and no arithmetic. One broadcast of four activation bytes feeds a dot of each panel:
 * with two the load ports stay below the multipliers. */
PI_INLINE void pi_tile_dots(const pi_block_group *const *group, size_t n_panels, size_t b,
                            const struct pi_a8_group *x, size_t n_tokens,
                            __m512i isum_i32x16[2][PI_TILE_TOKENS]) {
    for (size_t t = 0; t < n_tokens; t++) {
        for (size_t p = 0; p < n_panels; p++) {
            isum_i32x16[p][t] = _mm512_set1_epi32(x[t].PI_BLOCK_START[b]);
        }
    }
    PI_UNROLL(4)
    for (size_t j = 0; j < PI_BLOCK_STEPS; j++) {
        __m512i first[2];
        __m512i second[2];
        for (size_t p = 0; p < n_panels; p++) {
            const __auto_type line = pi_block_line(group[p], b, j);
            first[p] = pi_block_first(line);
            second[p] = pi_block_second(line);
        }
        for (size_t t = 0; t < n_tokens; t++) {
            const __m512i q = pi_broadcast4(x[t].q + PI_BLOCK_INPUTS * b + pi_block_first_input(j));
            for (size_t p = 0; p < n_panels; p++) {
                isum_i32x16[p][t] = _mm512_dpbusd_epi32(isum_i32x16[p][t], first[p], q);
            }
        }
        for (size_t t = 0; t < n_tokens; t++) {
            const __m512i q =
                pi_broadcast4(x[t].q + PI_BLOCK_INPUTS * b + pi_block_second_input(j));
            for (size_t p = 0; p < n_panels; p++) {
                isum_i32x16[p][t] = _mm512_dpbusd_epi32(isum_i32x16[p][t], second[p], q);
            }
        }
    }
}

#endif
