/* 8-bit multiply-add peak by matrix products. */
#include "pyinfer/kernel_types.h"
#include <arm_neon.h>

pi_peak_fn pi_limits_dot_neoni8mm;

#define CHAINS 16

double pi_limits_dot_neoni8mm(float *sink, size_t rounds) {
    int32x4_t sum[CHAINS];
    const int8x16_t w = vdupq_n_s8((int8_t)(*sink + 3.0f));
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = vdupq_n_s32((int32_t)c);
    }
    for (size_t i = 0; i < rounds; i++) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = vmmlaq_s32(sum[c], w, w);
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = veorq_s32(sum[0], sum[c]);
    }
    *sink += (float)vgetq_lane_s32(sum[0], 0);
    return 2.0 * 32 * CHAINS * (double)rounds;
}
