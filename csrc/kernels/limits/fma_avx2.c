/* f32 multiply-add peak, AVX2: twelve chains cover latency x ports. */
#include "pyinfer/kernel_types.h"
#include <immintrin.h>

pi_peak_fn pi_limits_fma_avx2;

#define CHAINS 12

double pi_limits_fma_avx2(float *sink, size_t rounds) {
    __m256 sum[CHAINS];
    const __m256 w = _mm256_set1_ps(*sink + 0.5f);
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = _mm256_set1_ps((float)c);
    }
    for (size_t i = 0; i < rounds; i++) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = _mm256_fmadd_ps(sum[c], w, w);
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = _mm256_add_ps(sum[0], sum[c]);
    }
    *sink += _mm256_cvtss_f32(sum[0]);
    return 2.0 * 8 * CHAINS * (double)rounds;
}
