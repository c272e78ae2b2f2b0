/* f32 panels for the AVX2 templates. */
#include "kernels/formats/f32/layout.h"
#include <immintrin.h>

PI_INLINE void load_line(const struct pi_group_f32 *group, size_t i, __m256 (*w)[2]) {
    w[0][0] = _mm256_load_ps(group->w[i]);
    w[0][1] = _mm256_load_ps(group->w[i] + 8);
}

/* Sums stand in row order. */
PI_INLINE void sort_rows(__m256 *f) { (void)f; }

#define PARAM_GROUP struct pi_group_f32
#define PARAM_LINE_INPUTS 1
#define PARAM_LOAD_LINE load_line
#define PARAM_SORT_ROWS sort_rows
