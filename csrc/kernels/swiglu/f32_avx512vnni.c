/* SwiGLU, AVX-512. */
#include "kernels/util/x86_math512.h"
#include "pyinfer/kernel_types.h"

pi_swiglu_fn pi_swiglu_f32_avx512vnni;

void pi_swiglu_f32_avx512vnni(float *h, const float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 lanes = n - i >= 16 ? 0xffff : pi_first_lanes(n - i);
        const __m512 silu_f32x16 = pi_silu512(_mm512_maskz_loadu_ps(lanes, gate + i));
        _mm512_mask_storeu_ps(h + i, lanes,
                              _mm512_mul_ps(silu_f32x16, _mm512_maskz_loadu_ps(lanes, up + i)));
    }
}
