/* f32 <-> q4_0 file blocks, the rounding of the gguf package's reference bit for bit:
 * d = (value of largest magnitude, the first one on a tie) / -8, q = trunc(x * (1 / d) + 8.5) with
 * every step rounded to f32, at most 15; d is stored as f16. |x * (1 / d)| is at most 8.000001, so q
 * is never negative. A block with a NaN or Inf gets a NaN scale, so that it surfaces in every output
 * that uses it. */
#include "kernels/formats/q4_0/layout.h"
#include "kernels/util/block_codes.h"
#include "kernels/util/fit.h"
#include "pyinfer/kernel_types.h"

pi_quantize_fn pi_quantize_q4_0_scalar;
pi_quantize_weighted_fn pi_quantize_weighted_q4_0_scalar;
pi_dequantize_fn pi_dequantize_q4_0_scalar;

static uint8_t nibble(float x, float inverse) {
    const int32_t q = (int32_t)(x * inverse + 8.5f);
    return (uint8_t)(q > 15 ? 15 : q);
}

void pi_quantize_q4_0_scalar(void *blocks, const float *x, size_t n) {
    struct pi_block_q4_0 *out = blocks;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++, x += PI_BLOCK_INPUTS) {
        if (!pi_all_finite(x, PI_BLOCK_INPUTS)) {
            out[b] = (struct pi_block_q4_0){.d = PI_F16_NAN};
            continue;
        }
        float largest = x[0];
        for (size_t i = 1; i < PI_BLOCK_INPUTS; i++) {
            largest = fabsf(x[i]) > fabsf(largest) ? x[i] : largest;
        }
        const float d = largest / -8.0f;
        const float inverse = d == 0.0f ? 0.0f : 1.0f / d;
        out[b].d = pi_f32_to_f16(d);
        for (size_t i = 0; i < 16; i++) {
            out[b].qs[i] =
                (uint8_t)(nibble(x[i], inverse) | (unsigned)nibble(x[16 + i], inverse) << 4);
        }
    }
}

/* With importances: ggml's search of scales. */
void pi_quantize_weighted_q4_0_scalar(void *blocks, const float *x, const float *importance,
                                      size_t n) {
    struct pi_block_q4_0 *out = blocks;
    const float variance = pi_squares(x, n) / (float)n;
    for (size_t at = 0; at < n; at += PI_BLOCK_INPUTS, out++) {
        *out = (struct pi_block_q4_0){.d = PI_F16_NAN};
        if (!pi_all_finite(x + at, PI_BLOCK_INPUTS)) {
            continue;
        }
        uint8_t stored[PI_BLOCK_INPUTS];
        out->d = pi_f32_to_f16(pi_fit_block(x + at, importance + at, variance, 8, stored));
        pi_set_nibbles(out->qs, stored);
    }
}

void pi_dequantize_q4_0_scalar(float *x, const void *blocks, size_t n) {
    const struct pi_block_q4_0 *in = blocks;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++, x += PI_BLOCK_INPUTS) {
        const float d = pi_f16_to_f32(in[b].d);
        for (size_t i = 0; i < 16; i++) {
            x[i] = d * (float)((in[b].qs[i] & 15) - 8);
            x[16 + i] = d * (float)((in[b].qs[i] >> 4) - 8);
        }
    }
}
