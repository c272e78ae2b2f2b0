/* 8-bit multiply-add peak, AVX2: vpmaddubsw, the step that bounds the integer kernels there. */
#include "pyinfer/kernel_types.h"
#include <immintrin.h>

pi_peak_fn pi_limits_dot_avx2;

#define CHAINS 12

double pi_limits_dot_avx2(float *sink, size_t rounds) {
    __m256i sum[CHAINS];
    const __m256i w = _mm256_set1_epi8((char)(*sink + 3.0f));
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = _mm256_set1_epi8((char)c);
    }
    for (size_t i = 0; i < rounds; i++) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = _mm256_maddubs_epi16(sum[c], w);
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = _mm256_xor_si256(sum[0], sum[c]);
    }
    *sink += (float)_mm_cvtsi128_si32(_mm256_castsi256_si128(sum[0]));
    return 2.0 * 32 * CHAINS * (double)rounds;
}
