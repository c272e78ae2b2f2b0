/* Statistics and selection over a chunk of logits on 128-bit registers. */
#include "kernels/util/arm_math.h"
#include "kernels/util/lanes16.h"
#include "pyinfer/kernel_types.h"

pi_head_stats_fn pi_head_stats_f32_neon;
pi_head_select_fn pi_head_select_f32_neon;

/* A NaN in the first place stays, later ones lose every comparison. */
static float largest_of(const float *logits, size_t n) {
    float32x4_t max_f32x4 = vdupq_n_f32(logits[0]);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float32x4_t x = vld1q_f32(logits + i);
        max_f32x4 = vbslq_f32(vcgtq_f32(x, max_f32x4), x, max_f32x4);
    }
    float lane[4];
    vst1q_f32(lane, max_f32x4);
    float max = logits[0];
    for (size_t k = 0; k < 4; k++) {
        max = lane[k] > max ? lane[k] : max;
    }
    for (; i < n; i++) {
        max = logits[i] > max ? logits[i] : max;
    }
    return max;
}

static bool all_finite(const float *logits, size_t n) {
    uint32x4_t largest = vdupq_n_u32(0);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        largest = vmaxq_u32(largest, pi_magnitude128(vld1q_f32(logits + i)));
    }
    return vmaxvq_u32(largest) < 0x7f800000u && pi_all_finite(logits + i, n - i);
}

void pi_head_stats_f32_neon(struct pi_head_stats *stats, const float *logits, size_t n) {
    const float max = largest_of(logits, n);
    const float32x4_t max_f32x4 = vdupq_n_f32(max);
    float32x4_t sum[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        for (size_t k = 0; k < 4; k++) {
            const float32x4_t x = vsubq_f32(vld1q_f32(logits + i + 4 * k), max_f32x4);
            sum[k] = vaddq_f32(sum[k], pi_exp128(x));
        }
    }
    float lane[16];
    for (size_t k = 0; k < 4; k++) {
        vst1q_f32(lane + 4 * k, sum[k]);
    }
    for (; i < n; i++) {
        lane[i % 16] += pi_expf(logits[i] - max);
    }
    stats->max = max;
    stats->sum = pi_lanes16_sum(lane);
    stats->finite = all_finite(logits, n);
}

size_t pi_head_select_f32_neon(int32_t *index, size_t capacity, const float *logits, size_t n,
                               float threshold) {
    size_t found = 0;
    size_t i = 0;
    while (i < n) {
        /* Hits are rare: 16 logits without one are skipped at once. */
        if (i + 16 <= n) {
            uint32x4_t hit = vdupq_n_u32(0);
            for (size_t k = 0; k < 4; k++) {
                hit = vorrq_u32(hit,
                                vcgeq_f32(vld1q_f32(logits + i + 4 * k), vdupq_n_f32(threshold)));
            }
            if (vmaxvq_u32(hit) == 0) {
                i += 16;
                continue;
            }
        }
        for (const size_t end = pi_min_size(i + 16, n); i < end; i++) {
            if (logits[i] >= threshold) {
                if (found < capacity) {
                    index[found] = (int32_t)i;
                }
                found++;
            }
        }
    }
    return found;
}
