/* bf16 panels for the AVX2 templates: a row's two inputs share a dword, the high halves are the odd
 * inputs. */
#include "kernels/formats/bf16/layout.h"
#include <immintrin.h>

PI_INLINE void load_line(const struct pi_group_16bit *group, size_t i, __m256 (*w)[2]) {
    const __m256i odd_mask = _mm256_set1_epi32((int32_t)0xffff0000u);
    for (size_t half = 0; half < 2; half++) {
        const __m256i pair =
            _mm256_load_si256((const __m256i *)(const void *)group->w[i / 2][8 * half]);
        w[0][half] = _mm256_castsi256_ps(_mm256_slli_epi32(pair, 16));
        w[1][half] = _mm256_castsi256_ps(_mm256_and_si256(pair, odd_mask));
    }
}

/* Sums stand in row order. */
PI_INLINE void sort_rows(__m256 *f) { (void)f; }

#define PARAM_GROUP struct pi_group_16bit
#define PARAM_LINE_INPUTS 2
#define PARAM_LOAD_LINE load_line
#define PARAM_SORT_ROWS sort_rows
