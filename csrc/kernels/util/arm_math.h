/* Vector forms of util/exp.h, util/lanes16.h and util/f16.h for 128-bit registers of aarch64: the same
 * operations in the same order, so the same bits in every lane. */
#ifndef PYINFER_KERNELS_UTIL_ARM_MATH_H
#define PYINFER_KERNELS_UTIL_ARM_MATH_H

#include "kernels/util/exp.h"
#include <arm_neon.h>

/* fmax and fmin give NaN if one of their operands is, as the comparisons of pi_expf let it pass. */
PI_INLINE float32x4_t pi_exp128(float32x4_t x) {
    x = vmaxq_f32(vdupq_n_f32(PI_EXP_MIN), x);
    x = vminq_f32(vdupq_n_f32(PI_EXP_MAX), x);
    const float32x4_t n = vrndnq_f32(vmulq_f32(x, vdupq_n_f32(PI_LOG2E)));
    float32x4_t r = vfmaq_f32(x, n, vdupq_n_f32(-PI_LN2_HIGH));
    r = vfmaq_f32(r, n, vdupq_n_f32(-PI_LN2_LOW));
    float32x4_t p = vdupq_n_f32(PI_EXP_C6);
    p = vfmaq_f32(vdupq_n_f32(PI_EXP_C5), p, r);
    p = vfmaq_f32(vdupq_n_f32(PI_EXP_C4), p, r);
    p = vfmaq_f32(vdupq_n_f32(PI_EXP_C3), p, r);
    p = vfmaq_f32(vdupq_n_f32(PI_EXP_C2), p, r);
    p = vfmaq_f32(vdupq_n_f32(1.0f), p, r);
    p = vfmaq_f32(vdupq_n_f32(1.0f), p, r);
    /* A NaN becomes the integer 0, and its p makes the product NaN. */
    const int32x4_t exponent_i32x4 = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
    return vmulq_f32(p, vreinterpretq_f32_s32(vshlq_n_s32(exponent_i32x4, 23)));
}

PI_INLINE float32x4_t pi_silu128(float32x4_t x) {
    return vdivq_f32(x, vaddq_f32(vdupq_n_f32(1.0f), pi_exp128(vnegq_f32(x))));
}

/* Sum of 16 lanes by the fixed tree of pi_lanes16_sum. */
PI_INLINE float pi_sum16_128(const float32x4_t *lane) {
    const float32x4_t a = vaddq_f32(vaddq_f32(lane[0], lane[2]), vaddq_f32(lane[1], lane[3]));
    const float32x2_t s = vadd_f32(vget_low_f32(a), vget_high_f32(a));
    return vget_lane_f32(s, 0) + vget_lane_f32(s, 1);
}

/* Magnitude bits of 4 floats; they order like the magnitudes, Inf and NaN on top. */
PI_INLINE uint32x4_t pi_magnitude128(float32x4_t x) {
    return vandq_u32(vreinterpretq_u32_f32(x), vdupq_n_u32(0x7fffffffu));
}

PI_INLINE float32x4_t pi_load_f16_128(const uint16_t *h) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(h)));
}
PI_INLINE void pi_store_f16_128(uint16_t *h, float32x4_t x) {
    vst1_u16(h, vreinterpret_u16_f16(vcvt_f16_f32(x)));
}

/* 16 values of f16. */
PI_INLINE void pi_load16_f16_128(const uint16_t *h, float32x4_t *x) {
    const float16x8_t low = vreinterpretq_f16_u16(vld1q_u16(h));
    const float16x8_t high = vreinterpretq_f16_u16(vld1q_u16(h + 8));
    x[0] = vcvt_f32_f16(vget_low_f16(low));
    x[1] = vcvt_high_f32_f16(low);
    x[2] = vcvt_f32_f16(vget_low_f16(high));
    x[3] = vcvt_high_f32_f16(high);
}

#endif
