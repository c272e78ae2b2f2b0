/* f32 multiply-add peak, AVX-512: sixteen chains cover latency x ports. */
#include "pyinfer/kernel_types.h"
#include <immintrin.h>

pi_peak_fn pi_limits_fma_avx512vnni;

#define CHAINS 16

double pi_limits_fma_avx512vnni(float *sink, size_t rounds) {
    __m512 sum[CHAINS];
    const __m512 w = _mm512_set1_ps(*sink + 0.5f);
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = _mm512_set1_ps((float)c);
    }
    for (size_t i = 0; i < rounds; i++) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = _mm512_fmadd_ps(sum[c], w, w);
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = _mm512_add_ps(sum[0], sum[c]);
    }
    *sink += _mm512_cvtss_f32(sum[0]);
    return 2.0 * 16 * CHAINS * (double)rounds;
}
