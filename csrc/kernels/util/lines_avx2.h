/* Halves of panel lines, one dword of each of 8 rows. */
#ifndef PYINFER_KERNELS_UTIL_LINES_AVX2_H
#define PYINFER_KERNELS_UTIL_LINES_AVX2_H

#include "pyinfer/panels.h"
#include <immintrin.h>

PI_INLINE __m256i pi_load_half(const pi_line line, size_t half) {
    return _mm256_load_si256((const __m256i *)(const void *)line[8 * half]);
}
PI_INLINE void pi_store_half(pi_line line, size_t half, __m256i v) {
    _mm256_store_si256((__m256i *)(void *)line[8 * half], v);
}

#endif
