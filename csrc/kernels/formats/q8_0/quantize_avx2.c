/* f32 <-> q8_0 file blocks on 256-bit registers; the steps of q8_0_scalar.c. */
#include "kernels/formats/q8_0/layout.h"
#include "kernels/util/x86_math256.h"
#include "pyinfer/kernel_types.h"

pi_quantize_fn pi_quantize_q8_0_avx2;
pi_dequantize_fn pi_dequantize_q8_0_avx2;

/* Half away from zero, as int32. */
PI_INLINE __m256i round_away(__m256 scaled) {
    const __m256 magnitude = _mm256_castsi256_ps(pi_magnitude256(scaled));
    const __m256i whole = _mm256_cvttps_epi32(magnitude);
    const __m256 rest = _mm256_sub_ps(magnitude, _mm256_cvtepi32_ps(whole));
    const __m256 up = _mm256_cmp_ps(rest, _mm256_set1_ps(0.5f), _CMP_GE_OQ);
    const __m256i rounded = _mm256_sub_epi32(whole, _mm256_castps_si256(up));
    return _mm256_sign_epi32(rounded, _mm256_castps_si256(scaled));
}

static void quantize_block(struct pi_block_q8_0 *out, const float *x) {
    __m256 value[4];
    __m256i largest = _mm256_setzero_si256();
    for (size_t i = 0; i < 4; i++) {
        value[i] = _mm256_loadu_ps(x + 8 * i);
        largest = _mm256_max_epi32(largest, pi_magnitude256(value[i]));
    }
    const uint32_t amax_bits = pi_max_epi32_256(largest);
    if (amax_bits >= 0x7f800000u) {
        *out = (struct pi_block_q8_0){.d = PI_F16_NAN};
        return;
    }
    const float d = pi_bits_to_f32(amax_bits) / 127.0f;
    const __m256 inverse = _mm256_set1_ps(d == 0.0f ? 0.0f : 1.0f / d);
    out->d = pi_f32_to_f16(d);
    __m256i q_i32x8[4];
    for (size_t i = 0; i < 4; i++) {
        q_i32x8[i] = round_away(_mm256_mul_ps(value[i], inverse));
    }
    const __m256i low = _mm256_packs_epi32(q_i32x8[0], q_i32x8[1]);
    const __m256i high = _mm256_packs_epi32(q_i32x8[2], q_i32x8[3]);
    const __m256i q_i8x32 = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high),
                                                        _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)(void *)out->qs, q_i8x32);
}

void pi_quantize_q8_0_avx2(void *blocks, const float *x, size_t n) {
    struct pi_block_q8_0 *out = blocks;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++) {
        quantize_block(out + b, x + b * PI_BLOCK_INPUTS);
    }
}

void pi_dequantize_q8_0_avx2(float *x, const void *blocks, size_t n) {
    const struct pi_block_q8_0 *in = blocks;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++, x += PI_BLOCK_INPUTS) {
        const __m256 d = _mm256_set1_ps(pi_f16_to_f32(in[b].d));
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i += 8) {
            const __m128i q = _mm_loadl_epi64((const __m128i *)(const void *)(in[b].qs + i));
            const __m256 value = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q));
            _mm256_storeu_ps(x + i, _mm256_mul_ps(d, value));
        }
    }
}
