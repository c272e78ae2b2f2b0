/* RMSNorm, AVX-512: one register is the 16 lanes of the specification. */
#include "kernels/util/x86_math512.h"
#include "pyinfer/kernel_types.h"

pi_rmsnorm_fn pi_rmsnorm_f32_avx512vnni;

void pi_rmsnorm_f32_avx512vnni(float *y, const float *x, const float *w, size_t n, size_t n_padded,
                               float eps) {
    __m512 sum_f32x16 = _mm512_setzero_ps();
    for (size_t i = 0; i < n_padded; i += 16) {
        const __m512 x_f32x16 = _mm512_loadu_ps(x + i);
        sum_f32x16 = _mm512_fmadd_ps(x_f32x16, x_f32x16, sum_f32x16);
    }
    const float mean = pi_sum16_512(sum_f32x16) / (float)n;
    const __m512 inverse_f32x16 = _mm512_set1_ps(1.0f / sqrtf(mean + eps));
    for (size_t i = 0; i < n_padded; i += 16) {
        const __m512 scaled = _mm512_mul_ps(_mm512_loadu_ps(x + i), inverse_f32x16);
        _mm512_storeu_ps(y + i, _mm512_mul_ps(scaled, _mm512_loadu_ps(w + i)));
    }
}
