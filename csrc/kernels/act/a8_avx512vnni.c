/* f32 -> a8 activations, AVX-512: one block of 32 inputs in two registers. The maximum runs over
 * magnitude bits as unsigned integers, as in the scalar form. */
#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"
#include <immintrin.h>

pi_act_a8_fn pi_act_a8_avx512vnni;

#define AMAX_MIN_BITS 0x0d800000u /* 2^-100 */
#define INF_BITS 0x7f800000u
#define NAN_BITS 0x7fc00000u

PI_INLINE void quantize_block(struct pi_a8_group *out, size_t b, const float *x) {
    const __m512 low_f32x16 = _mm512_loadu_ps(x);
    const __m512 high_f32x16 = _mm512_loadu_ps(x + 16);
    const __m512i mask = _mm512_set1_epi32(0x7fffffff);
    const __m512i amax_u32x16 =
        _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(low_f32x16), mask),
                         _mm512_and_si512(_mm512_castps_si512(high_f32x16), mask));
    const uint32_t amax_bits = _mm512_reduce_max_epu32(amax_u32x16);
    float scale = 0.0f;
    float inverse = 0.0f;
    __mmask16 keep = 0xffff;
    if (amax_bits >= INF_BITS) {
        scale = pi_bits_to_f32(NAN_BITS);
        keep = 0;
    } else if (amax_bits >= AMAX_MIN_BITS) {
        const float amax = pi_bits_to_f32(amax_bits);
        scale = amax / 127.0f;
        inverse = 127.0f / amax;
    }
    const __m512 inverse_f32x16 = _mm512_set1_ps(inverse);
    const __m512i low_i32x16 =
        _mm512_maskz_cvtps_epi32(keep, _mm512_mul_ps(low_f32x16, inverse_f32x16));
    const __m512i high_i32x16 =
        _mm512_maskz_cvtps_epi32(keep, _mm512_mul_ps(high_f32x16, inverse_f32x16));
    int8_t *q = out->q + PI_BLOCK_INPUTS * b;
    _mm_storeu_si128((__m128i *)(void *)q, _mm512_cvtepi32_epi8(low_i32x16));
    _mm_storeu_si128((__m128i *)(void *)(q + 16), _mm512_cvtepi32_epi8(high_i32x16));
    const int32_t sum = _mm512_reduce_add_epi32(_mm512_add_epi32(low_i32x16, high_i32x16));
    out->scale[b] = scale;
    out->scaled_sum[b] = scale * (float)sum;
    out->start_q4[b] = -8 * sum;
    out->start_q8[b] = -128 * sum;
}

void pi_act_a8_avx512vnni(struct pi_a8_group *out, size_t stride, const float *x, size_t n_groups) {
    for (size_t g = 0; g < n_groups; g++) {
        for (size_t b = 0; b < 4; b++) {
            quantize_block(out + g * stride, b, x + g * PI_GROUP_INPUTS + b * PI_BLOCK_INPUTS);
        }
    }
}
