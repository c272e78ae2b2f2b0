/* Statistics and selection over a chunk of logits, scalar: the specification. */
#include "kernels/util/exp.h"
#include "kernels/util/lanes16.h"
#include "pyinfer/kernel_types.h"

pi_head_stats_fn pi_head_stats_f32_scalar;
pi_head_select_fn pi_head_select_f32_scalar;

void pi_head_stats_f32_scalar(struct pi_head_stats *stats, const float *logits, size_t n) {
    float max = logits[0];
    int32_t finite = 1;
    for (size_t i = 0; i < n; i++) {
        max = logits[i] > max ? logits[i] : max;
        finite &= (pi_f32_to_bits(logits[i]) & 0x7f800000u) != 0x7f800000u;
    }
    float lane[16] = {0};
    for (size_t i = 0; i < n; i++) {
        lane[i % 16] += pi_expf(logits[i] - max);
    }
    stats->max = max;
    stats->sum = pi_lanes16_sum(lane);
    stats->finite = finite;
}

size_t pi_head_select_f32_scalar(int32_t *index, size_t capacity, const float *logits, size_t n,
                                 float threshold) {
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        if (logits[i] >= threshold) {
            if (found < capacity) {
                index[found] = (int32_t)i;
            }
            found++;
        }
    }
    return found;
}
