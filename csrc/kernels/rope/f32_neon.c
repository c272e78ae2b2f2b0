/* Rotary position embedding on 128-bit registers, NEOX pairing. */
#include "pyinfer/kernel_types.h"
#include <arm_neon.h>
#include <math.h>

pi_rope_fn pi_rope_f32_neon;

void pi_rope_f32_neon(float *x, const float *cos, const float *sin, size_t half, float scale) {
    size_t i = 0;
    for (; i + 4 <= half; i += 4) {
        const float32x4_t a = vld1q_f32(x + i);
        const float32x4_t b = vld1q_f32(x + half + i);
        const float32x4_t c = vld1q_f32(cos + i);
        const float32x4_t s = vld1q_f32(sin + i);
        const float32x4_t first = vfmaq_f32(vnegq_f32(vmulq_f32(b, s)), a, c);
        const float32x4_t second = vfmaq_f32(vmulq_f32(a, s), b, c);
        vst1q_f32(x + i, vmulq_n_f32(first, scale));
        vst1q_f32(x + half + i, vmulq_n_f32(second, scale));
    }
    for (; i < half; i++) {
        const float a = x[i];
        const float b = x[half + i];
        x[i] = fmaf(a, cos[i], -(b * sin[i])) * scale;
        x[half + i] = fmaf(b, cos[i], a * sin[i]) * scale;
    }
}
