/* f32 <-> f32 rows: a copy, so that every format has the same pair. */
#include "pyinfer/kernel_types.h"
#include <string.h>

pi_quantize_fn pi_quantize_f32_scalar;
pi_dequantize_fn pi_dequantize_f32_scalar;

void pi_quantize_f32_scalar(void *blocks, const float *x, size_t n) {
    memcpy(blocks, x, n * sizeof *x);
}

void pi_dequantize_f32_scalar(float *x, const void *blocks, size_t n) {
    memcpy(x, blocks, n * sizeof *x);
}
