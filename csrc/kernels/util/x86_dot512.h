/* Small steps shared by the quantized AVX-512 kernels. */
#ifndef PYINFER_KERNELS_UTIL_X86_DOT512_H
#define PYINFER_KERNELS_UTIL_X86_DOT512_H

#include "kernels/util/x86_math512.h"
#include "pyinfer/panels.h"
#include <string.h>

/* Weights of two chunks of four inputs x 16 rows, as unsigned bytes. */
struct pi_chunks {
    __m512i first, second;
};

/* Four activation bytes in every lane: a load with broadcast, no arithmetic slot. */
PI_INLINE __m512i pi_broadcast4(const int8_t *q) {
    int32_t word;
    memcpy(&word, q, sizeof word);
    return _mm512_set1_epi32(word);
}

/* f + isum * (weight scale * activation scale), the float step of the contract. */
PI_INLINE __m512 pi_scale_step(__m512i isum_i32x16, __m512 weight_scale, float scale, __m512 f) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum_i32x16),
                           _mm512_mul_ps(weight_scale, _mm512_set1_ps(scale)), f);
}

#endif
