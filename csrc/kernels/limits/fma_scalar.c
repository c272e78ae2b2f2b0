/* f32 multiply-add peak, scalar. */
#include "pyinfer/kernel_types.h"
#include <math.h>

pi_peak_fn pi_limits_fma_scalar;

#define CHAINS 8

double pi_limits_fma_scalar(float *sink, size_t rounds) {
    float sum[CHAINS] = {0};
    const float w = *sink + 0.5f;
    for (size_t i = 0; i < rounds; i++) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = fmaf(sum[c], w, 0.25f);
        }
    }
    for (size_t c = 0; c < CHAINS; c++) {
        *sink += sum[c];
    }
    return 2.0 * CHAINS * (double)rounds;
}
