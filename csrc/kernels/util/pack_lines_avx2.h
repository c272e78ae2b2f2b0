/* Rearrangement of file bytes into panel lines, for formats whose file bytes do not hold inputs of one
 * block. A register holds one dword of each of 8 rows; the bytes of 16 rows are transposed first. */
#ifndef PYINFER_KERNELS_UTIL_PACK_LINES_AVX2_H
#define PYINFER_KERNELS_UTIL_PACK_LINES_AVX2_H

#include "kernels/util/lines_avx2.h"
#include "kernels/util/x86_transpose.h"
#include <string.h>

/* Dwords `offset`, `offset` + 4, ... of the rows as n_lines lines, a multiple of four. */
PI_INLINE void pi_transpose_rows(pi_line *lines, const uint8_t *const row[PI_PANEL_ROWS],
                                 size_t offset, size_t n_lines) {
    for (size_t i = 0; i < n_lines; i += 4) {
        pi_rows_to_lines(lines[i], row, offset + 4 * i, _mm_setzero_si128());
    }
}

/* Codes of chunk j of a block at bits `shift` of line[j], four bits of them, as nibble lines: chunk j
 * low, chunk j + 4 high. */
PI_INLINE void pi_put_nibbles(pi_line *q, const pi_line *line, int shift) {
    const __m256i mask = _mm256_set1_epi8(15);
    for (size_t half = 0; half < 2; half++) {
        for (size_t j = 0; j < 4; j++) {
            const __m256i low = _mm256_srli_epi16(pi_load_half(line[j], half), shift);
            const __m256i high = _mm256_srli_epi16(pi_load_half(line[j + 4], half), shift);
            pi_store_half(q[j], half,
                          _mm256_or_si256(_mm256_and_si256(low, mask),
                                          _mm256_slli_epi16(_mm256_and_si256(high, mask), 4)));
        }
    }
}

/* Bit `shift` of every byte of line[j] as bit j of one line. */
PI_INLINE void pi_put_bits(pi_line high, const pi_line *line, int shift) {
    const __m256i one = _mm256_set1_epi8(1);
    for (size_t half = 0; half < 2; half++) {
        __m256i all = _mm256_setzero_si256();
        for (int j = 0; j < 8; j++) {
            const __m256i bit = _mm256_srli_epi16(pi_load_half(line[j], half), shift);
            all = _mm256_or_si256(all, _mm256_slli_epi16(_mm256_and_si256(bit, one), j));
        }
        pi_store_half(high, half, all);
    }
}

/* Bits `shift`, `shift` + 1 of line[j] as bits 2j % 8 of line j / 4 of two. */
PI_INLINE void pi_put_pairs(pi_line *q, const pi_line *line, int shift) {
    const __m256i three = _mm256_set1_epi8(3);
    for (size_t half = 0; half < 2; half++) {
        for (size_t e = 0; e < 2; e++) {
            __m256i all = _mm256_setzero_si256();
            for (int j = 0; j < 4; j++) {
                const __m256i pair =
                    _mm256_srli_epi16(pi_load_half(line[4 * e + (size_t)j], half), shift);
                all = _mm256_or_si256(all, _mm256_slli_epi16(_mm256_and_si256(pair, three), 2 * j));
            }
            pi_store_half(q[e], half, all);
        }
    }
}

#endif
