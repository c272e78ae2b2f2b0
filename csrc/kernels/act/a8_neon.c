/* f32 -> a8 activations on 128-bit registers; the steps of a8_scalar.c. */
#include "kernels/util/arm_math.h"
#include "pyinfer/kernel_types.h"

pi_act_a8_fn pi_act_a8_neon;

#define AMAX_MIN_BITS 0x0d800000u /* 2^-100 */
#define INF_BITS 0x7f800000u
#define NAN_BITS 0x7fc00000u
#define REGISTERS (PI_BLOCK_INPUTS / 4)

PI_INLINE void store_block(struct pi_a8_group *out, size_t b, int8x16_t low, int8x16_t high,
                           float scale) {
    const int32_t sum = vaddlvq_s8(low) + vaddlvq_s8(high);
    vst1q_s8(out->q + PI_BLOCK_INPUTS * b, low);
    vst1q_s8(out->q + PI_BLOCK_INPUTS * b + 16, high);
    out->scale[b] = scale;
    out->scaled_sum[b] = scale * (float)sum;
    out->start_q4[b] = -8 * sum;
    out->start_q8[b] = -128 * sum;
}

/* Four registers of int32 within +-127 to 16 bytes in order. */
PI_INLINE int8x16_t narrow(const int32x4_t *q) {
    const int16x8_t low = vuzp1q_s16(vreinterpretq_s16_s32(q[0]), vreinterpretq_s16_s32(q[1]));
    const int16x8_t high = vuzp1q_s16(vreinterpretq_s16_s32(q[2]), vreinterpretq_s16_s32(q[3]));
    return vuzp1q_s8(vreinterpretq_s8_s16(low), vreinterpretq_s8_s16(high));
}

PI_INLINE void quantize_block(struct pi_a8_group *out, size_t b, const float *x) {
    float32x4_t value[REGISTERS];
    uint32x4_t largest = vdupq_n_u32(0);
    for (size_t i = 0; i < REGISTERS; i++) {
        value[i] = vld1q_f32(x + 4 * i);
        largest = vmaxq_u32(largest, pi_magnitude128(value[i]));
    }
    const uint32_t amax_bits = vmaxvq_u32(largest);
    if (amax_bits >= INF_BITS || amax_bits < AMAX_MIN_BITS) {
        store_block(out, b, vdupq_n_s8(0), vdupq_n_s8(0),
                    amax_bits >= INF_BITS ? pi_bits_to_f32(NAN_BITS) : 0.0f);
        return;
    }
    const float amax = pi_bits_to_f32(amax_bits);
    const float inverse = 127.0f / amax;
    int32x4_t q[REGISTERS];
    for (size_t i = 0; i < REGISTERS; i++) {
        q[i] = vcvtnq_s32_f32(vmulq_n_f32(value[i], inverse));
    }
    store_block(out, b, narrow(q), narrow(q + 4), amax / 127.0f);
}

void pi_act_a8_neon(struct pi_a8_group *out, size_t stride, const float *x, size_t n_groups) {
    for (size_t g = 0; g < n_groups; g++) {
        for (size_t b = 0; b < 4; b++) {
            quantize_block(out + g * stride, b, x + g * PI_GROUP_INPUTS + b * PI_BLOCK_INPUTS);
        }
    }
}
