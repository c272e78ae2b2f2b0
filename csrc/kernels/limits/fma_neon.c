/* f32 multiply-add peak on 128-bit registers. */
#include "pyinfer/kernel_types.h"
#include <arm_neon.h>

pi_peak_fn pi_limits_fma_neon;

#define CHAINS 16

double pi_limits_fma_neon(float *sink, size_t rounds) {
    float32x4_t sum[CHAINS];
    const float32x4_t w = vdupq_n_f32(*sink + 0x1p-12f);
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = vdupq_n_f32((float)c);
    }
    for (size_t i = 0; i < rounds; i++) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = vfmaq_f32(sum[c], w, w);
        }
    }
    for (size_t c = 0; c < CHAINS; c++) {
        *sink += vaddvq_f32(sum[c]);
    }
    return 2.0 * 4 * CHAINS * (double)rounds;
}
