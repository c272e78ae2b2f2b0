/* Attention over an f32 cache, Armv8.0; see kv_neon.inc.h. */
#include "kernels/util/arm_math.h"

PI_INLINE void load16_f32(const float *from, float32x4_t *to) {
    for (size_t k = 0; k < 4; k++) {
        to[k] = vld1q_f32(from + 4 * k);
    }
}

#define PARAM_KERNEL pi_attn_kv_f32_neon
#define PARAM_ELEMENT float
#define PARAM_LOAD load16_f32
#include "kernels/attn/kv_neon.inc.h"
