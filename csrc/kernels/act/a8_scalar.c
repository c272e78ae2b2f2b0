/* f32 -> a8 activations, scalar: the specification.
 *
 * Per block of 32 inputs: scale = amax / 127, q = rint(x * (127 / amax)), to nearest even.
 * amax < 2^-100 gives a zero block (no denormal scales). The maximum runs over the magnitude bits
 * as integers, so Inf or NaN anywhere in the block always wins; it makes the scale NaN and with
 * it every output that uses the block. |q| <= 127 since amax * (127 / amax) rounds to at most
 * 127.00001. */
#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"
#include <math.h>

pi_act_a8_fn pi_act_a8_scalar;

#define AMAX_MIN_BITS 0x0d800000u /* 2^-100 */
#define INF_BITS 0x7f800000u
#define NAN_BITS 0x7fc00000u

static void quantize_block(struct pi_a8_group *out, size_t b, const float *x) {
    uint32_t amax_bits = 0;
    for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
        const uint32_t magnitude = pi_f32_to_bits(x[i]) & 0x7fffffffu;
        amax_bits = magnitude > amax_bits ? magnitude : amax_bits;
    }
    float scale = 0.0f;
    float inverse = 0.0f;
    if (amax_bits >= INF_BITS) {
        scale = pi_bits_to_f32(NAN_BITS);
    } else if (amax_bits >= AMAX_MIN_BITS) {
        const float amax = pi_bits_to_f32(amax_bits);
        scale = amax / 127.0f;
        inverse = 127.0f / amax;
    }
    int32_t sum = 0;
    for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
        const int32_t q = amax_bits >= INF_BITS ? 0 : (int32_t)rintf(x[i] * inverse);
        out->q[PI_BLOCK_INPUTS * b + i] = (int8_t)q;
        sum += q;
    }
    out->scale[b] = scale;
    out->scaled_sum[b] = scale * (float)sum;
    out->start_q4[b] = -8 * sum;
    out->start_q8[b] = -128 * sum;
}

void pi_act_a8_scalar(struct pi_a8_group *out, size_t stride, const float *x, size_t n_groups) {
    for (size_t g = 0; g < n_groups; g++) {
        for (size_t b = 0; b < 4; b++) {
            quantize_block(out + g * stride, b, x + g * PI_GROUP_INPUTS + b * PI_BLOCK_INPUTS);
        }
    }
}
