/* 8-bit multiply-add peak, scalar. */
#include "pyinfer/kernel_types.h"

pi_peak_fn pi_limits_dot_scalar;

#define CHAINS 8

double pi_limits_dot_scalar(float *sink, size_t rounds) {
    uint32_t sum[CHAINS] = {0};
    const uint32_t w = (uint32_t)*sink + 3u;
    for (size_t i = 0; i < rounds; i++) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] += w * (sum[c] & 255u);
        }
    }
    for (size_t c = 0; c < CHAINS; c++) {
        *sink += (float)sum[c];
    }
    return 2.0 * CHAINS * (double)rounds;
}
