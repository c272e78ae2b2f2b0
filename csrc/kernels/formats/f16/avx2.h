/* f16 panels for the AVX2 templates: a row's two inputs share a dword. Shuffles inside 128-bit lanes
 * part even from odd inputs, which leaves rows 0-3, 8-11 in the first register and 4-7, 12-15 in the
 * second; sums keep that order and sort_rows puts it right at the end. */
#include "kernels/formats/f16/layout.h"
#include <immintrin.h>

PI_INLINE void load_line(const struct pi_group_16bit *group, size_t i, __m256 (*w)[2]) {
    const __m256i part = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0,
                                          1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    const __m256i *line = (const __m256i *)(const void *)group->w[i / 2];
    const __m256i low = _mm256_shuffle_epi8(_mm256_load_si256(line), part);
    const __m256i high = _mm256_shuffle_epi8(_mm256_load_si256(line + 1), part);
    const __m256i even = _mm256_unpacklo_epi64(low, high);
    const __m256i odd = _mm256_unpackhi_epi64(low, high);
    w[0][0] = _mm256_cvtph_ps(_mm256_castsi256_si128(even));
    w[0][1] = _mm256_cvtph_ps(_mm256_extracti128_si256(even, 1));
    w[1][0] = _mm256_cvtph_ps(_mm256_castsi256_si128(odd));
    w[1][1] = _mm256_cvtph_ps(_mm256_extracti128_si256(odd, 1));
}

/* Its own inverse: rows 0-3, 8-11 | 4-7, 12-15 <-> rows 0-7 | 8-15. */
PI_INLINE void sort_rows(__m256 *f) {
    const __m256 first = _mm256_permute2f128_ps(f[0], f[1], 0x20);
    f[1] = _mm256_permute2f128_ps(f[0], f[1], 0x31);
    f[0] = first;
}

#define PARAM_GROUP struct pi_group_16bit
#define PARAM_LINE_INPUTS 2
#define PARAM_LOAD_LINE load_line
#define PARAM_SORT_ROWS sort_rows
