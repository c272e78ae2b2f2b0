/* Rotary position embedding on 256-bit registers, NEOX pairing. */
#include "pyinfer/kernel_types.h"
#include <immintrin.h>
#include <math.h>

pi_rope_fn pi_rope_f32_avx2;

void pi_rope_f32_avx2(float *x, const float *cos, const float *sin, size_t half, float scale) {
    const __m256 scale_f32x8 = _mm256_set1_ps(scale);
    size_t i = 0;
    for (; i + 8 <= half; i += 8) {
        const __m256 a = _mm256_loadu_ps(x + i);
        const __m256 b = _mm256_loadu_ps(x + half + i);
        const __m256 c = _mm256_loadu_ps(cos + i);
        const __m256 s = _mm256_loadu_ps(sin + i);
        const __m256 first = _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s));
        const __m256 second = _mm256_fmadd_ps(b, c, _mm256_mul_ps(a, s));
        _mm256_storeu_ps(x + i, _mm256_mul_ps(first, scale_f32x8));
        _mm256_storeu_ps(x + half + i, _mm256_mul_ps(second, scale_f32x8));
    }
    for (; i < half; i++) {
        const float a = x[i];
        const float b = x[half + i];
        x[i] = fmaf(a, cos[i], -(b * sin[i])) * scale;
        x[half + i] = fmaf(b, cos[i], a * sin[i]) * scale;
    }
}
