/* Plain reading on 128-bit registers. */
#include "kernels/util/prefetch.h"
#include "pyinfer/kernel_types.h"
#include <arm_neon.h>

pi_read_fn pi_limits_read_neon;

#define STEP 512

uint64_t pi_limits_read_neon(const struct pi_read_args *a) {
    uint64x2_t all[4] = {vdupq_n_u64(0), vdupq_n_u64(0), vdupq_n_u64(0), vdupq_n_u64(0)};
    for (size_t i = 0; i < a->bytes; i += STEP) {
        for (size_t s = 0; s < a->n_streams; s++) {
            pi_prefetch_stream(a->data[s] + i, STEP, a->prefetch_near, a->prefetch_far);
            for (size_t k = 0; k < STEP; k += PI_LINE_BYTES) {
                for (size_t j = 0; j < 4; j++) {
                    const uint64_t *from = (const uint64_t *)(const void *)(a->data[s] + i + k);
                    all[j] = veorq_u64(all[j], vld1q_u64(from + 2 * j));
                }
            }
        }
    }
    const uint64x2_t two = veorq_u64(veorq_u64(all[0], all[1]), veorq_u64(all[2], all[3]));
    return vgetq_lane_u64(two, 0) ^ vgetq_lane_u64(two, 1);
}
