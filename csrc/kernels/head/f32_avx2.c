/* Statistics and selection over a chunk of logits on 256-bit registers. */
#include "kernels/util/lanes16.h"
#include "kernels/util/x86_math256.h"
#include "pyinfer/kernel_types.h"

pi_head_stats_fn pi_head_stats_f32_avx2;
pi_head_select_fn pi_head_select_f32_avx2;

/* A NaN in the first place stays, later ones lose every comparison: max(x, m) is m if x is NaN. */
static float largest_of(const float *logits, size_t n) {
    __m256 max_f32x8 = _mm256_set1_ps(logits[0]);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        max_f32x8 = _mm256_max_ps(_mm256_loadu_ps(logits + i), max_f32x8);
    }
    float lane[8];
    _mm256_storeu_ps(lane, max_f32x8);
    float max = logits[0];
    for (size_t k = 0; k < 8; k++) {
        max = lane[k] > max ? lane[k] : max;
    }
    for (; i < n; i++) {
        max = logits[i] > max ? logits[i] : max;
    }
    return max;
}

static bool all_finite(const float *logits, size_t n) {
    __m256i largest = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        largest = _mm256_max_epi32(largest, pi_magnitude256(_mm256_loadu_ps(logits + i)));
    }
    return pi_max_epi32_256(largest) < 0x7f800000u && pi_all_finite(logits + i, n - i);
}

void pi_head_stats_f32_avx2(struct pi_head_stats *stats, const float *logits, size_t n) {
    const float max = largest_of(logits, n);
    const __m256 max_f32x8 = _mm256_set1_ps(max);
    __m256 low = _mm256_setzero_ps();
    __m256 high = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m256 a = _mm256_sub_ps(_mm256_loadu_ps(logits + i), max_f32x8);
        const __m256 b = _mm256_sub_ps(_mm256_loadu_ps(logits + i + 8), max_f32x8);
        low = _mm256_add_ps(low, pi_exp256(a));
        high = _mm256_add_ps(high, pi_exp256(b));
    }
    float lane[16];
    _mm256_storeu_ps(lane, low);
    _mm256_storeu_ps(lane + 8, high);
    for (; i < n; i++) {
        lane[i % 16] += pi_expf(logits[i] - max);
    }
    stats->max = max;
    stats->sum = pi_lanes16_sum(lane);
    stats->finite = all_finite(logits, n);
}

size_t pi_head_select_f32_avx2(int32_t *index, size_t capacity, const float *logits, size_t n,
                               float threshold) {
    const __m256 threshold_f32x8 = _mm256_set1_ps(threshold);
    size_t found = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 hit = _mm256_cmp_ps(_mm256_loadu_ps(logits + i), threshold_f32x8, _CMP_GE_OQ);
        for (unsigned bits = (unsigned)_mm256_movemask_ps(hit); bits; bits &= bits - 1) {
            if (found < capacity) {
                index[found] = (int32_t)i + __builtin_ctz(bits);
            }
            found++;
        }
    }
    for (; i < n; i++) {
        if (logits[i] >= threshold) {
            if (found < capacity) {
                index[found] = (int32_t)i;
            }
            found++;
        }
    }
    return found;
}
