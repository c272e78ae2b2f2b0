/* 16 rows x 16 bytes to 4 panel lines: dword j of row r becomes dword r of line j. */
#ifndef PYINFER_KERNELS_UTIL_X86_TRANSPOSE_H
#define PYINFER_KERNELS_UTIL_X86_TRANSPOSE_H

#include "pyinfer/types.h"
#include <immintrin.h>

PI_INLINE __m128i pi_load128(const void *p) { return _mm_loadu_si128((const __m128i *)p); }

/* `flip` is xored into every byte. */
PI_INLINE void pi_rows_to_lines(void *lines, const uint8_t *const row[PI_PANEL_ROWS], size_t offset,
                                __m128i flip) {
    __m128i *line = lines;
    for (size_t r = 0; r < PI_PANEL_ROWS; r += 4) {
        const __m128i a = _mm_xor_si128(pi_load128(row[r] + offset), flip);
        const __m128i b = _mm_xor_si128(pi_load128(row[r + 1] + offset), flip);
        const __m128i c = _mm_xor_si128(pi_load128(row[r + 2] + offset), flip);
        const __m128i d = _mm_xor_si128(pi_load128(row[r + 3] + offset), flip);
        const __m128i ab_low = _mm_unpacklo_epi32(a, b);
        const __m128i ab_high = _mm_unpackhi_epi32(a, b);
        const __m128i cd_low = _mm_unpacklo_epi32(c, d);
        const __m128i cd_high = _mm_unpackhi_epi32(c, d);
        _mm_store_si128(line + r / 4, _mm_unpacklo_epi64(ab_low, cd_low));
        _mm_store_si128(line + r / 4 + 4, _mm_unpackhi_epi64(ab_low, cd_low));
        _mm_store_si128(line + r / 4 + 8, _mm_unpacklo_epi64(ab_high, cd_high));
        _mm_store_si128(line + r / 4 + 12, _mm_unpackhi_epi64(ab_high, cd_high));
    }
}

#endif
