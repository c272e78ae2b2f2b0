/* f32 -> a8 activations, AVX-512: the four blocks of a group at once, so that their reductions share
 * shuffles and their scales one division. */
#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"
#include <immintrin.h>

pi_act_a8_fn pi_act_a8_avx512vnni;

#define AMAX_MIN_BITS 0x0d800000 /* 2^-100 */
#define INF_BITS 0x7f800000
#define NAN_BITS 0x7fc00000u

/* Lane b of the result is the maximum, or the sum, of the 16 lanes of x[b]. */
#define REDUCE4(x, op, op256, op128)                                                               \
    const __m512i pair01 =                                                                         \
        op(_mm512_unpacklo_epi32(x[0], x[1]), _mm512_unpackhi_epi32(x[0], x[1]));                  \
    const __m512i pair23 =                                                                         \
        op(_mm512_unpacklo_epi32(x[2], x[3]), _mm512_unpackhi_epi32(x[2], x[3]));                  \
    const __m512i all =                                                                            \
        op(_mm512_unpacklo_epi64(pair01, pair23), _mm512_unpackhi_epi64(pair01, pair23));          \
    const __m256i half = op256(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));    \
    return op128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1))

PI_INLINE __m128i max_of_each(const __m512i *x_u32x16) {
    REDUCE4(x_u32x16, _mm512_max_epu32, _mm256_max_epu32, _mm_max_epu32);
}
PI_INLINE __m128i sum_of_each(const __m512i *x_i32x16) {
    REDUCE4(x_i32x16, _mm512_add_epi32, _mm256_add_epi32, _mm_add_epi32);
}

PI_INLINE void quantize_group(struct pi_a8_group *out, const float *x) {
    const __m512i mask = _mm512_set1_epi32(0x7fffffff);
    __m512i amax_u32x16[4];
    for (size_t b = 0; b < 4; b++) {
        const __m512i low = _mm512_loadu_si512(x + PI_BLOCK_INPUTS * b);
        const __m512i high = _mm512_loadu_si512(x + PI_BLOCK_INPUTS * b + 16);
        amax_u32x16[b] =
            _mm512_max_epu32(_mm512_and_si512(low, mask), _mm512_and_si512(high, mask));
    }
    const __m128i amax_u32x4 = max_of_each(amax_u32x16);
    const __m128 amax_f32x4 = _mm_castsi128_ps(amax_u32x4);
    const __mmask8 bad = _mm_cmpge_epu32_mask(amax_u32x4, _mm_set1_epi32(INF_BITS));
    const __mmask8 zero = _mm_cmplt_epu32_mask(amax_u32x4, _mm_set1_epi32(AMAX_MIN_BITS));
    const __mmask8 good = (__mmask8) ~(bad | zero);
    const __m128 largest = _mm_set1_ps(127.0f);
    const __m128 scale_f32x4 = _mm_mask_mov_ps(_mm_maskz_div_ps(good, amax_f32x4, largest), bad,
                                               _mm_set1_ps(pi_bits_to_f32(NAN_BITS)));
    const __m128 inverse_f32x4 = _mm_maskz_div_ps(good, largest, amax_f32x4);
    __m512i sum_i32x16[4];
    for (size_t b = 0; b < 4; b++) {
        const __mmask16 keep = bad >> b & 1 ? 0 : 0xffff;
        const __m512 inverse =
            _mm512_broadcastss_ps(_mm_permutevar_ps(inverse_f32x4, _mm_set1_epi32((int)b)));
        const float *from = x + PI_BLOCK_INPUTS * b;
        const __m512i low =
            _mm512_maskz_cvtps_epi32(keep, _mm512_mul_ps(_mm512_loadu_ps(from), inverse));
        const __m512i high =
            _mm512_maskz_cvtps_epi32(keep, _mm512_mul_ps(_mm512_loadu_ps(from + 16), inverse));
        int8_t *q = out->q + PI_BLOCK_INPUTS * b;
        _mm_storeu_si128((__m128i *)(void *)q, _mm512_cvtepi32_epi8(low));
        _mm_storeu_si128((__m128i *)(void *)(q + 16), _mm512_cvtepi32_epi8(high));
        sum_i32x16[b] = _mm512_add_epi32(low, high);
    }
    const __m128i sum_i32x4 = sum_of_each(sum_i32x16);
    _mm_storeu_ps(out->scale, scale_f32x4);
    _mm_storeu_ps(out->scaled_sum, _mm_mul_ps(scale_f32x4, _mm_cvtepi32_ps(sum_i32x4)));
    const __m128i minus = _mm_sub_epi32(_mm_setzero_si128(), sum_i32x4);
    _mm_storeu_si128((__m128i *)(void *)out->start_q4, _mm_slli_epi32(minus, 3));
    _mm_storeu_si128((__m128i *)(void *)out->start_q8, _mm_slli_epi32(minus, 7));
}

void pi_act_a8_avx512vnni(struct pi_a8_group *out, size_t stride, const float *x, size_t n_groups) {
    for (size_t g = 0; g < n_groups; g++) {
        quantize_group(out + g * stride, x + g * PI_GROUP_INPUTS);
    }
}

#undef REDUCE4
