/* f32 panel lines; see panel_dot_float_avx2.inc.h. */
#include "pyinfer/kernel_types.h"
#include <immintrin.h>

#define GROUP struct pi_group_f32
#define STEP 1

PI_INLINE void load_line(const GROUP *group, size_t i, __m256 (*w)[2]) {
    w[0][0] = _mm256_load_ps(group->w[i]);
    w[0][1] = _mm256_load_ps(group->w[i] + 8);
}

/* Sums stand in row order. */
PI_INLINE void sort_rows(__m256 *f) { (void)f; }

#include "kernels/util/panel_dot_float_avx2.inc.h"
