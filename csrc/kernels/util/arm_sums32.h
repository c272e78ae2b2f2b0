/* Integer sums of four rows over the chunks of a block of 8-bit codes, on Armv8.0, which has no dot product:
 * widening products of bytes, to 32 bits after every two chunks (2 * 128 * 127 < 2^15). */
#ifndef PYINFER_KERNELS_UTIL_ARM_SUMS32_H
#define PYINFER_KERNELS_UTIL_ARM_SUMS32_H

#include "pyinfer/types.h"
#include <arm_neon.h>

enum {
    pi_sums32_most = 8,   /* in registers: two each */
    pi_sums32_tokens = 4, /* of a register tile of two quads */
};

typedef struct {
    int32x4_t low, high; /* rows 0 and 1, rows 2 and 3 */
} pi_sums32;

/* 16 activations stay in memory: loading four of them into all lanes costs no more than taking them from a
 * register. */
typedef const int8_t *pi_sums32_inputs;
PI_INLINE pi_sums32_inputs pi_sums32_load(const int8_t *q) { return q; }
PI_INLINE int8x16_t pi_sums32_chunk(pi_sums32_inputs q, size_t lane) {
    return vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t *)(const void *)(q + 4 * lane)));
}

PI_INLINE pi_sums32 pi_sums32_begin(int32x4_t start) {
    (void)start;
    return (pi_sums32){vdupq_n_s32(0), vdupq_n_s32(0)};
}

/* Two chunks: code.val[0] with chunk lane0 of q0 onto *a, code.val[1] with chunk lane1 of q1 onto *b, which
 * may be the same. */
PI_INLINE void pi_sums32_add(pi_sums32 *a, pi_sums32 *b, int8x16x2_t code, pi_sums32_inputs q0,
                             size_t lane0, pi_sums32_inputs q1, size_t lane1) {
    const int8x16_t x0 = pi_sums32_chunk(q0, lane0);
    const int8x16_t x1 = pi_sums32_chunk(q1, lane1);
    int16x8_t low = vmull_s8(vget_low_s8(code.val[0]), vget_low_s8(x0));
    int16x8_t high = vmull_high_s8(code.val[0], x0);
    low = vmlal_s8(low, vget_low_s8(code.val[1]), vget_low_s8(x1));
    high = vmlal_high_s8(high, code.val[1], x1);
    a->low = vpadalq_s16(a->low, low);
    a->high = vpadalq_s16(a->high, high);
    (void)b;
}

PI_INLINE int32x4_t pi_sums32_end(pi_sums32 sums, int32x4_t start) {
    return vaddq_s32(start, vpaddq_s32(sums.low, sums.high));
}

#endif
