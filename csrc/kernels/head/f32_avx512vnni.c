/* Statistics and selection over a chunk of logits, AVX-512. */
#include "kernels/util/x86_math512.h"
#include "pyinfer/kernel_types.h"

pi_head_stats_fn pi_head_stats_f32_avx512vnni;
pi_head_select_fn pi_head_select_f32_avx512vnni;

void pi_head_stats_f32_avx512vnni(struct pi_head_stats *stats, const float *logits, size_t n) {
    __m512 max_f32x16 = _mm512_set1_ps(logits[0]);
    __mmask16 infinite = 0;
    const __m512i exponent = _mm512_set1_epi32(0x7f800000);
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 lanes = n - i >= 16 ? 0xffff : pi_first_lanes(n - i);
        const __m512 x_f32x16 = _mm512_maskz_loadu_ps(lanes, logits + i);
        const __m512i bits = _mm512_and_si512(_mm512_castps_si512(x_f32x16), exponent);
        infinite |= _mm512_cmpeq_epi32_mask(bits, exponent);
        max_f32x16 = _mm512_mask_max_ps(max_f32x16, lanes, x_f32x16, max_f32x16);
    }
    const float max = _mm512_reduce_max_ps(max_f32x16);
    __m512 sum_f32x16 = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 lanes = n - i >= 16 ? 0xffff : pi_first_lanes(n - i);
        const __m512 shifted =
            _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, logits + i), _mm512_set1_ps(max));
        sum_f32x16 = _mm512_mask_add_ps(sum_f32x16, lanes, sum_f32x16, pi_exp512(shifted));
    }
    stats->max = max;
    stats->sum = pi_sum16_512(sum_f32x16);
    stats->finite = infinite == 0;
}

size_t pi_head_select_f32_avx512vnni(int32_t *index, size_t capacity, const float *logits, size_t n,
                                     float threshold) {
    size_t found = 0;
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 lanes = n - i >= 16 ? 0xffff : pi_first_lanes(n - i);
        unsigned hits = _mm512_mask_cmp_ps_mask(lanes, _mm512_maskz_loadu_ps(lanes, logits + i),
                                                _mm512_set1_ps(threshold), _CMP_GE_OQ);
        for (; hits != 0; hits &= hits - 1) {
            if (found < capacity) {
                index[found] = (int32_t)(i + (size_t)__builtin_ctz(hits));
            }
            found++;
        }
    }
    return found;
}
