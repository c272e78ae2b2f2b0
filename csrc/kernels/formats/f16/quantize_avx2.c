/* f32 <-> f16 rows with F16C. */
#include "kernels/util/x86_math256.h"
#include "pyinfer/kernel_types.h"

pi_quantize_fn pi_quantize_f16_avx2;
pi_dequantize_fn pi_dequantize_f16_avx2;

void pi_quantize_f16_avx2(void *blocks, const float *x, size_t n) {
    uint16_t *out = blocks;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        pi_store_f16_256(out + i, _mm256_loadu_ps(x + i));
    }
    for (; i < n; i++) {
        out[i] = pi_f32_to_f16(x[i]);
    }
}

void pi_dequantize_f16_avx2(float *x, const void *blocks, size_t n) {
    const uint16_t *in = blocks;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        _mm256_storeu_ps(x + i, pi_load_f16_256(in + i));
    }
    for (; i < n; i++) {
        x[i] = pi_f16_to_f32(in[i]);
    }
}
