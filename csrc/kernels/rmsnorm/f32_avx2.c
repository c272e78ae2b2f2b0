/* RMSNorm on 256-bit registers: lanes 0..7 and 8..15 of the 16 square sums in two registers. */
#include "kernels/util/x86_math256.h"
#include "pyinfer/kernel_types.h"

pi_rmsnorm_fn pi_rmsnorm_f32_avx2;

void pi_rmsnorm_f32_avx2(float *y, const float *x, const float *w, size_t n, size_t n_padded,
                         float eps) {
    __m256 low = _mm256_setzero_ps();
    __m256 high = _mm256_setzero_ps();
    for (size_t i = 0; i < n_padded; i += 16) {
        const __m256 a = _mm256_loadu_ps(x + i);
        const __m256 b = _mm256_loadu_ps(x + i + 8);
        low = _mm256_fmadd_ps(a, a, low);
        high = _mm256_fmadd_ps(b, b, high);
    }
    const float mean = pi_sum16_256(low, high) / (float)n;
    const __m256 inverse = _mm256_set1_ps(1.0f / sqrtf(mean + eps));
    for (size_t i = 0; i < n_padded; i += 8) {
        const __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(x + i), inverse);
        _mm256_storeu_ps(y + i, _mm256_mul_ps(scaled, _mm256_loadu_ps(w + i)));
    }
}
