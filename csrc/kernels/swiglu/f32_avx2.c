/* SwiGLU on 256-bit registers. */
#include "kernels/util/x86_math256.h"
#include "pyinfer/kernel_types.h"

pi_swiglu_fn pi_swiglu_f32_avx2;

void pi_swiglu_f32_avx2(float *h, const float *gate, const float *up, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 silu = pi_silu256(_mm256_loadu_ps(gate + i));
        _mm256_storeu_ps(h + i, _mm256_mul_ps(silu, _mm256_loadu_ps(up + i)));
    }
    for (; i < n; i++) {
        h[i] = pi_siluf(gate[i]) * up[i];
    }
}
