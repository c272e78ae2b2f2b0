/* f32 <-> q4_0 file blocks on 256-bit registers; the steps of q4_0_scalar.c. */
#include "kernels/formats/q4_0/layout.h"
#include "kernels/util/x86_math256.h"
#include "pyinfer/kernel_types.h"

pi_quantize_fn pi_quantize_q4_0_avx2;
pi_dequantize_fn pi_dequantize_q4_0_avx2;

#define SMALLEST_NORMAL_BITS 0x00800000u

/* Value of largest magnitude, the first one on a tie. */
static float first_largest(const float *x, const __m256 *value, uint32_t amax_bits) {
    if (amax_bits < SMALLEST_NORMAL_BITS) {
        /* Flushed denormals compare equal to zero: leave it to the comparison itself. */
        float largest = x[0];
        for (size_t i = 1; i < PI_BLOCK_INPUTS; i++) {
            largest = fabsf(x[i]) > fabsf(largest) ? x[i] : largest;
        }
        return largest;
    }
    const __m256i amax = _mm256_set1_epi32((int32_t)amax_bits);
    unsigned hits = 0;
    for (unsigned i = 0; i < 4; i++) {
        const __m256i hit = _mm256_cmpeq_epi32(pi_magnitude256(value[i]), amax);
        hits |= (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(hit)) << 8 * i;
    }
    return x[__builtin_ctz(hits)];
}

/* trunc(x * inverse + 8.5), at most 15, of 8 values. */
PI_INLINE __m256i nibble8(__m256 x, __m256 inverse) {
    const __m256 q = _mm256_add_ps(_mm256_mul_ps(x, inverse), _mm256_set1_ps(8.5f));
    return _mm256_min_epi32(_mm256_cvttps_epi32(q), _mm256_set1_epi32(15));
}

static void quantize_block(struct pi_block_q4_0 *out, const float *x) {
    __m256 value[4];
    __m256i magnitude = _mm256_setzero_si256();
    for (size_t i = 0; i < 4; i++) {
        value[i] = _mm256_loadu_ps(x + 8 * i);
        magnitude = _mm256_max_epi32(magnitude, pi_magnitude256(value[i]));
    }
    const uint32_t amax_bits = pi_max_epi32_256(magnitude);
    if (amax_bits >= 0x7f800000u) {
        *out = (struct pi_block_q4_0){.d = PI_F16_NAN};
        return;
    }
    const float d = first_largest(x, value, amax_bits) / -8.0f;
    const __m256 inverse = _mm256_set1_ps(d == 0.0f ? 0.0f : 1.0f / d);
    out->d = pi_f32_to_f16(d);
    /* Values 0..15 in the low, 16..31 in the high nibbles, 8 dwords each. */
    const __m256i first = _mm256_or_si256(nibble8(value[0], inverse),
                                          _mm256_slli_epi32(nibble8(value[2], inverse), 4));
    const __m256i second = _mm256_or_si256(nibble8(value[1], inverse),
                                           _mm256_slli_epi32(nibble8(value[3], inverse), 4));
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(first, second), 0xd8);
    const __m128i bytes =
        _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i *)(void *)out->qs, bytes);
}

void pi_quantize_q4_0_avx2(void *blocks, const float *x, size_t n) {
    struct pi_block_q4_0 *out = blocks;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++) {
        quantize_block(out + b, x + b * PI_BLOCK_INPUTS);
    }
}

void pi_dequantize_q4_0_avx2(float *x, const void *blocks, size_t n) {
    const struct pi_block_q4_0 *in = blocks;
    const __m128i mask = _mm_set1_epi8(15);
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++, x += PI_BLOCK_INPUTS) {
        const __m256 d = _mm256_set1_ps(pi_f16_to_f32(in[b].d));
        const __m128i both = _mm_loadu_si128((const __m128i *)(const void *)in[b].qs);
        const __m128i half[2] = {_mm_and_si128(both, mask),
                                 _mm_and_si128(_mm_srli_epi16(both, 4), mask)};
        for (size_t i = 0; i < 4; i++) {
            const __m128i eight = i % 2 ? _mm_srli_si128(half[i / 2], 8) : half[i / 2];
            const __m256i q = _mm256_sub_epi32(_mm256_cvtepu8_epi32(eight), _mm256_set1_epi32(8));
            _mm256_storeu_ps(x + 8 * i, _mm256_mul_ps(d, _mm256_cvtepi32_ps(q)));
        }
    }
}
