/* f32 <-> bf16 rows in integer arithmetic. */
#include "kernels/util/x86_math256.h"
#include "pyinfer/kernel_types.h"

pi_quantize_fn pi_quantize_bf16_avx2;
pi_dequantize_fn pi_dequantize_bf16_avx2;

/* Round to nearest even; NaN stays NaN. The result stands in the low half of each dword. */
PI_INLINE __m256i round_to_bf16(__m256 x) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i top = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(top, _mm256_set1_epi32(1));
    const __m256i bias = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
    const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, bias), 16);
    const __m256i quiet = _mm256_or_si256(top, _mm256_set1_epi32(0x40));
    const __m256i is_nan = _mm256_cmpgt_epi32(pi_magnitude256(x), _mm256_set1_epi32(0x7f800000));
    return _mm256_blendv_epi8(rounded, quiet, is_nan);
}

void pi_quantize_bf16_avx2(void *blocks, const float *x, size_t n) {
    uint16_t *out = blocks;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m256i low = round_to_bf16(_mm256_loadu_ps(x + i));
        const __m256i high = round_to_bf16(_mm256_loadu_ps(x + i + 8));
        const __m256i mixed = _mm256_packus_epi32(low, high);
        _mm256_storeu_si256((__m256i *)(void *)(out + i), _mm256_permute4x64_epi64(mixed, 0xd8));
    }
    for (; i < n; i++) {
        out[i] = pi_f32_to_bf16(x[i]);
    }
}

void pi_dequantize_bf16_avx2(float *x, const void *blocks, size_t n) {
    const uint16_t *in = blocks;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m128i half = _mm_loadu_si128((const __m128i *)(const void *)(in + i));
        const __m256i bits = _mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16);
        _mm256_storeu_ps(x + i, _mm256_castsi256_ps(bits));
    }
    for (; i < n; i++) {
        x[i] = pi_bf16_to_f32(in[i]);
    }
}
