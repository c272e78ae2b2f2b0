/* f16 weights of one input x 16 rows as f32. */
#ifndef PYINFER_KERNELS_UTIL_LINE_F16_AVX512VNNI_H
#define PYINFER_KERNELS_UTIL_LINE_F16_AVX512VNNI_H

#include "pyinfer/panels.h"
#include <immintrin.h>

/* One line holds two inputs of 16 rows: the low and the high half of each dword. */
#define PI_LINE_INPUTS 2
typedef struct pi_group_16bit pi_float_group;
PI_INLINE __m512 pi_float_weight(const pi_float_group *group, size_t line, size_t which) {
    const __m512i pairs = _mm512_load_si512(group->w[line]);
    return _mm512_cvtph_ps(
        _mm512_cvtepi32_epi16(which == 0 ? pairs : _mm512_srli_epi32(pairs, 16)));
}

#endif
