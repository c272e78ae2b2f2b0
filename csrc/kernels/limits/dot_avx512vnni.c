/* 8-bit multiply-add peak, AVX-512 VNNI: sixteen vpdpbusd chains cover latency x ports. */
#include "pyinfer/kernel_types.h"
#include <immintrin.h>

pi_peak_fn pi_limits_dot_avx512vnni;

#define CHAINS 16

double pi_limits_dot_avx512vnni(float *sink, size_t rounds) {
    __m512i sum[CHAINS];
    const __m512i w = _mm512_set1_epi8((char)(*sink + 3.0f));
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = _mm512_set1_epi32((int)c);
    }
    for (size_t i = 0; i < rounds; i++) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = _mm512_dpbusd_epi32(sum[c], w, w);
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = _mm512_xor_si512(sum[0], sum[c]);
    }
    *sink += (float)_mm_cvtsi128_si32(_mm512_castsi512_si128(sum[0]));
    return 2.0 * 64 * CHAINS * (double)rounds;
}
