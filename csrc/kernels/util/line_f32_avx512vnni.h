/* f32 weights of one input x 16 rows as f32. */
#ifndef PYINFER_KERNELS_UTIL_LINE_F32_AVX512VNNI_H
#define PYINFER_KERNELS_UTIL_LINE_F32_AVX512VNNI_H

#include "pyinfer/panels.h"
#include <immintrin.h>

/* One line holds one input of 16 rows. */
#define PI_LINE_INPUTS 1
typedef struct pi_group_f32 pi_float_group;
PI_INLINE __m512 pi_float_weight(const pi_float_group *group, size_t line, size_t which) {
    (void)which;
    return _mm512_load_ps(group->w[line]);
}

#endif
