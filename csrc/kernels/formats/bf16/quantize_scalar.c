/* f32 <-> bf16 rows, to nearest even. */
#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"

pi_quantize_fn pi_quantize_bf16_scalar;
pi_dequantize_fn pi_dequantize_bf16_scalar;

void pi_quantize_bf16_scalar(void *blocks, const float *x, size_t n) {
    uint16_t *out = blocks;
    for (size_t i = 0; i < n; i++) {
        out[i] = pi_f32_to_bf16(x[i]);
    }
}

void pi_dequantize_bf16_scalar(float *x, const void *blocks, size_t n) {
    const uint16_t *in = blocks;
    for (size_t i = 0; i < n; i++) {
        x[i] = pi_bf16_to_f32(in[i]);
    }
}
