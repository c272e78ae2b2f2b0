/* A line of q4_0 weights as two registers of unsigned bytes for each half (8 rows) of a panel. */
#ifndef PYINFER_KERNELS_UTIL_NIBBLES_Q4_0_AVX2_H
#define PYINFER_KERNELS_UTIL_NIBBLES_Q4_0_AVX2_H

#include "pyinfer/panels.h"
#include "pyinfer/types.h"
#include <immintrin.h>

/* Line j of block b: low holds inputs 4j..4j+3 of each row, high inputs 16+4j..16+4j+3; halves from
 * `first` on. */
PI_INLINE void pi_unpack_line_q4_0(const struct pi_group_q4_0 *group, size_t b, size_t j,
                                   const size_t first, const size_t n_halves, __m256i low_u8x32[2],
                                   __m256i high_u8x32[2]) {
    const __m256i mask = _mm256_set1_epi8(15);
    for (size_t h = 0; h < n_halves; h++) {
        const __m256i line =
            _mm256_load_si256((const __m256i *)(const void *)group->q[b][j][8 * (first + h)]);
        low_u8x32[h] = _mm256_and_si256(line, mask);
        high_u8x32[h] = _mm256_and_si256(_mm256_srli_epi16(line, 4), mask);
    }
}

#endif
