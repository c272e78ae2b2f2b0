/* q4_0 weights as unsigned bytes 0..15, for 256-bit registers. */
#ifndef PYINFER_KERNELS_FORMATS_Q4_0_NIBBLES_AVX2_H
#define PYINFER_KERNELS_FORMATS_Q4_0_NIBBLES_AVX2_H

#include "kernels/formats/q4_0/layout.h"
#include <immintrin.h>

/* Line j of block b as two registers for each half (8 rows) of a panel, from half `first` on: low holds
 * inputs 4j..4j+3 of each row, high inputs 16+4j..16+4j+3. */
PI_INLINE void unpack_line(const struct pi_group_q4_0 *group, size_t b, size_t j,
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

/* Block b as one plane. */
PI_INLINE void unpack_block(const struct pi_group_q4_0 *group, size_t b,
                            uint8_t (*plane)[8][PI_LINE_BYTES]) {
    const __m256i mask = _mm256_set1_epi8(15);
    for (size_t j = 0; j < 4; j++) {
        for (size_t half = 0; half < 2; half++) {
            const __m256i both =
                _mm256_load_si256((const __m256i *)(const void *)group->q[b][j][8 * half]);
            __m256i *low = (__m256i *)(void *)plane[0][j] + half;
            __m256i *high = (__m256i *)(void *)plane[0][j + 4] + half;
            _mm256_store_si256(low, _mm256_and_si256(both, mask));
            _mm256_store_si256(high, _mm256_and_si256(_mm256_srli_epi16(both, 4), mask));
        }
    }
}

#endif
