/* f32 <-> q8_0 file blocks, the rounding of the gguf package's reference bit for bit:
 * d = amax / 127, q = x * (1 / d) rounded half away from zero; d is stored as f16. A block with a
 * NaN or Inf gets a NaN scale, so that it surfaces in every output that uses it. */
#include "kernels/formats/q8_0/layout.h"
#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"
#include <math.h>

pi_quantize_fn pi_quantize_q8_0_scalar;
pi_quantize_weighted_fn pi_quantize_weighted_q8_0_scalar;
pi_dequantize_fn pi_dequantize_q8_0_scalar;

void pi_quantize_q8_0_scalar(void *blocks, const float *x, size_t n) {
    struct pi_block_q8_0 *out = blocks;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++, x += PI_BLOCK_INPUTS) {
        if (!pi_all_finite(x, PI_BLOCK_INPUTS)) {
            out[b] = (struct pi_block_q8_0){.d = PI_F16_NAN};
            continue;
        }
        float amax = 0.0f;
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
            const float magnitude = fabsf(x[i]);
            amax = magnitude > amax ? magnitude : amax;
        }
        const float d = amax / 127.0f;
        const float inverse = d == 0.0f ? 0.0f : 1.0f / d;
        out[b].d = pi_f32_to_f16(d);
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
            const float scaled = x[i] * inverse;
            const float magnitude = fabsf(scaled);
            const float whole = (float)(int32_t)magnitude; /* at most 127.0001 */
            const float rounded = magnitude - whole >= 0.5f ? whole + 1.0f : whole;
            out[b].qs[i] = (int8_t)(scaled < 0.0f ? -rounded : rounded);
        }
    }
}

/* Importances make no difference: ggml rounds here without a search. */
void pi_quantize_weighted_q8_0_scalar(void *blocks, const float *x, const float *importance,
                                      size_t n) {
    (void)importance;
    pi_quantize_q8_0_scalar(blocks, x, n);
}

void pi_dequantize_q8_0_scalar(float *x, const void *blocks, size_t n) {
    const struct pi_block_q8_0 *in = blocks;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++, x += PI_BLOCK_INPUTS) {
        const float d = pi_f16_to_f32(in[b].d);
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
            x[i] = d * (float)in[b].qs[i];
        }
    }
}
