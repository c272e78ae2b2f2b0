/* f32 <-> q5_0 file blocks, the rounding of the gguf package's reference bit for bit: d = (value of
 * largest magnitude) / -16, q = trunc(x * (1 / d) + 16.5), at most 31. A block with a NaN or Inf
 * gets a NaN scale. */
#include "kernels/formats/q5_0/layout.h"
#include "kernels/util/block_codes.h"
#include "kernels/util/fit.h"
#include "pyinfer/kernel_types.h"

pi_quantize_fn pi_quantize_q5_0_scalar;
pi_quantize_weighted_fn pi_quantize_weighted_q5_0_scalar;
pi_dequantize_fn pi_dequantize_q5_0_scalar;

void pi_quantize_q5_0_scalar(void *blocks, const float *x, size_t n) {
    struct pi_block_q5_0 *out = blocks;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++, x += PI_BLOCK_INPUTS) {
        out[b] = (struct pi_block_q5_0){.d = PI_F16_NAN};
        if (!pi_all_finite(x, PI_BLOCK_INPUTS)) {
            continue;
        }
        const float d = pi_largest(x, PI_BLOCK_INPUTS) / -16.0f;
        const float inverse = d == 0.0f ? 0.0f : 1.0f / d;
        uint8_t code[PI_BLOCK_INPUTS];
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
            const int32_t q = (int32_t)(x[i] * inverse + 16.5f);
            code[i] = (uint8_t)(q > 31 ? 31 : q);
        }
        out[b].d = pi_f32_to_f16(d);
        pi_set_codes5(out[b].qs, out[b].qh, code);
    }
}

/* With importances: ggml's search of scales. */
void pi_quantize_weighted_q5_0_scalar(void *blocks, const float *x, const float *importance,
                                      size_t n) {
    struct pi_block_q5_0 *out = blocks;
    const float variance = pi_squares(x, n) / (float)n;
    for (size_t at = 0; at < n; at += PI_BLOCK_INPUTS, out++) {
        *out = (struct pi_block_q5_0){.d = PI_F16_NAN};
        if (!pi_all_finite(x + at, PI_BLOCK_INPUTS)) {
            continue;
        }
        uint8_t stored[PI_BLOCK_INPUTS];
        out->d = pi_f32_to_f16(pi_fit_block(x + at, importance + at, variance, 16, stored));
        pi_set_codes5(out->qs, out->qh, stored);
    }
}

void pi_dequantize_q5_0_scalar(float *x, const void *blocks, size_t n) {
    const struct pi_block_q5_0 *in = blocks;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++, x += PI_BLOCK_INPUTS) {
        uint8_t code[PI_BLOCK_INPUTS];
        pi_get_codes5(code, in[b].qs, in[b].qh);
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
            x[i] = pi_f16_to_f32(in[b].d) * (float)(code[i] - 16);
        }
    }
}
