/* f32 -> a8 activations on 256-bit registers; the steps of a8_scalar.c. */
#include "kernels/util/x86_math256.h"
#include "pyinfer/kernel_types.h"

pi_act_a8_fn pi_act_a8_avx2;

#define AMAX_MIN_BITS 0x0d800000u /* 2^-100 */
#define INF_BITS 0x7f800000u
#define NAN_BITS 0x7fc00000u

static void store_block(struct pi_a8_group *out, size_t b, __m256i q_i8x32, int32_t sum,
                        float scale) {
    _mm256_storeu_si256((__m256i *)(void *)(out->q + PI_BLOCK_INPUTS * b), q_i8x32);
    out->scale[b] = scale;
    out->scaled_sum[b] = scale * (float)sum;
    out->start_q4[b] = -8 * sum;
    out->start_q8[b] = -128 * sum;
}

/* Four registers of int32 within +-127 to 32 bytes in order. */
PI_INLINE __m256i narrow(const __m256i *q_i32x8) {
    const __m256i low = _mm256_packs_epi32(q_i32x8[0], q_i32x8[1]);
    const __m256i high = _mm256_packs_epi32(q_i32x8[2], q_i32x8[3]);
    return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high),
                                       _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

PI_INLINE int32_t sum_of(__m256i q_i8x32) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), q_i8x32);
    const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(fours), _mm256_extracti128_si256(fours, 1));
    s = _mm_add_epi32(s, _mm_unpackhi_epi64(s, s));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 1)));
}

static void quantize_block(struct pi_a8_group *out, size_t b, const float *x) {
    __m256 value[4];
    __m256i largest = _mm256_setzero_si256();
    for (size_t i = 0; i < 4; i++) {
        value[i] = _mm256_loadu_ps(x + 8 * i);
        largest = _mm256_max_epi32(largest, pi_magnitude256(value[i]));
    }
    const uint32_t amax_bits = pi_max_epi32_256(largest);
    if (amax_bits >= INF_BITS) {
        store_block(out, b, _mm256_setzero_si256(), 0, pi_bits_to_f32(NAN_BITS));
        return;
    }
    if (amax_bits < AMAX_MIN_BITS) {
        store_block(out, b, _mm256_setzero_si256(), 0, 0.0f);
        return;
    }
    const float amax = pi_bits_to_f32(amax_bits);
    const __m256 inverse = _mm256_set1_ps(127.0f / amax);
    __m256i q_i32x8[4];
    for (size_t i = 0; i < 4; i++) {
        q_i32x8[i] = _mm256_cvtps_epi32(_mm256_mul_ps(value[i], inverse));
    }
    const __m256i q_i8x32 = narrow(q_i32x8);
    store_block(out, b, q_i8x32, sum_of(q_i8x32), amax / 127.0f);
}

void pi_act_a8_avx2(struct pi_a8_group *out, size_t stride, const float *x, size_t n_groups) {
    for (size_t g = 0; g < n_groups; g++) {
        for (size_t b = 0; b < 4; b++) {
            quantize_block(out + g * stride, b, x + g * PI_GROUP_INPUTS + b * PI_BLOCK_INPUTS);
        }
    }
}
