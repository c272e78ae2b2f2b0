/* f32 <-> f16 rows, to nearest even. */
#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"

pi_quantize_fn pi_quantize_f16_scalar;
pi_dequantize_fn pi_dequantize_f16_scalar;

void pi_quantize_f16_scalar(void *blocks, const float *x, size_t n) {
    uint16_t *out = blocks;
    for (size_t i = 0; i < n; i++) {
        out[i] = pi_f32_to_f16(x[i]);
    }
}

void pi_dequantize_f16_scalar(float *x, const void *blocks, size_t n) {
    const uint16_t *in = blocks;
    for (size_t i = 0; i < n; i++) {
        x[i] = pi_f16_to_f32(in[i]);
    }
}
