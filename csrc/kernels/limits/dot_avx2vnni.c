/* 8-bit multiply-add peak with vpdpbusd on 256-bit registers. */
#include "kernels/util/x86_sum_dpbusd256.h"
#include "pyinfer/kernel_types.h"

pi_peak_fn pi_limits_dot_avx2vnni;

#define CHAINS 12

double pi_limits_dot_avx2vnni(float *sink, size_t rounds) {
    __m256i sum[CHAINS];
    const __m256i w = _mm256_set1_epi8((char)(*sink + 3.0f));
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = _mm256_set1_epi32((int)c);
    }
    for (size_t i = 0; i < rounds; i++) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = pi_add_dots256(sum[c], w, w);
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = _mm256_xor_si256(sum[0], sum[c]);
    }
    *sink += (float)_mm_cvtsi128_si32(_mm256_castsi256_si128(sum[0]));
    return 2.0 * 32 * CHAINS * (double)rounds;
}
