/* SwiGLU on 128-bit registers. */
#include "kernels/util/arm_math.h"
#include "pyinfer/kernel_types.h"

pi_swiglu_fn pi_swiglu_f32_neon;

void pi_swiglu_f32_neon(float *h, const float *gate, const float *up, size_t n) {
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float32x4_t silu = pi_silu128(vld1q_f32(gate + i));
        vst1q_f32(h + i, vmulq_f32(silu, vld1q_f32(up + i)));
    }
    for (; i < n; i++) {
        h[i] = pi_siluf(gate[i]) * up[i];
    }
}
