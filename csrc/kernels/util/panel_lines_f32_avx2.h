/* f32 panel lines as f32 registers.
 *
 * Parameters of the AVX2 float templates:
 *   GROUP        packed group type
 *   STEP         inputs of one line: 1 or 2
 *   load_line()  weights of one line as f32: w[input][half]
 *   sort_rows()  puts the two halves of sums or weights into row order */
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
