/* RMSNorm on 128-bit registers: the 16 square sums are four of them. */
#include "kernels/util/arm_math.h"
#include "pyinfer/kernel_types.h"

pi_rmsnorm_fn pi_rmsnorm_f32_neon;

void pi_rmsnorm_f32_neon(float *y, const float *x, const float *w, size_t n, size_t n_padded,
                         float eps) {
    float32x4_t lane[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
    for (size_t i = 0; i < n_padded; i += 16) {
        for (size_t k = 0; k < 4; k++) {
            const float32x4_t x_f32x4 = vld1q_f32(x + i + 4 * k);
            lane[k] = vfmaq_f32(lane[k], x_f32x4, x_f32x4);
        }
    }
    const float mean = pi_sum16_128(lane) / (float)n;
    const float inverse = 1.0f / sqrtf(mean + eps);
    for (size_t i = 0; i < n_padded; i += 4) {
        const float32x4_t scaled = vmulq_n_f32(vld1q_f32(x + i), inverse);
        vst1q_f32(y + i, vmulq_f32(scaled, vld1q_f32(w + i)));
    }
}
