/* 8-bit multiply-add peak, Armv8.0: widening products of 8 bytes. */
#include "pyinfer/kernel_types.h"
#include <arm_neon.h>

pi_peak_fn pi_limits_dot_neon;

#define CHAINS 16

double pi_limits_dot_neon(float *sink, size_t rounds) {
    int16x8_t sum[CHAINS];
    const int8x16_t w = vdupq_n_s8((int8_t)(*sink + 3.0f));
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = vdupq_n_s16((int16_t)c);
    }
    for (size_t i = 0; i < rounds; i++) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = vmlal_s8(sum[c], vget_low_s8(w), vget_low_s8(w));
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = veorq_s16(sum[0], sum[c]);
    }
    *sink += (float)vgetq_lane_s16(sum[0], 0);
    return 2.0 * 8 * CHAINS * (double)rounds;
}
