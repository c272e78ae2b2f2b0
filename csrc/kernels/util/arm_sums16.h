/* Integer sums of four rows over the chunks of a block of codes of up to 6 bits, on Armv8.0, which has no
 * dot product: widening products of bytes, summed over a whole block in 16 bits (8 * 32 * 127 < 2^15), a byte
 * of a chunk per lane; the lanes of a row meet at its end. */
#ifndef PYINFER_KERNELS_UTIL_ARM_SUMS16_H
#define PYINFER_KERNELS_UTIL_ARM_SUMS16_H

#include "pyinfer/types.h"
#include <arm_neon.h>

enum {
    pi_sums16_most = 8,   /* in registers: two each */
    pi_sums16_tokens = 4, /* of a register tile of two quads */
};

typedef struct {
    int16x8_t low, high; /* rows 0 and 1, rows 2 and 3 */
} pi_sums16;

/* 16 activations stay in memory: loading four of them into all lanes costs no more than taking them from a
 * register. */
typedef const int8_t *pi_sums16_inputs;
PI_INLINE pi_sums16_inputs pi_sums16_load(const int8_t *q) { return q; }
PI_INLINE int8x16_t pi_sums16_chunk(pi_sums16_inputs q, size_t lane) {
    return vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t *)(const void *)(q + 4 * lane)));
}

PI_INLINE pi_sums16 pi_sums16_begin(int32x4_t start) {
    (void)start;
    return (pi_sums16){vdupq_n_s16(0), vdupq_n_s16(0)};
}

/* Two chunks: code.val[0] with chunk lane0 of q0 onto *a, code.val[1] with chunk lane1 of q1 onto *b, which
 * may be the same. */
PI_INLINE void pi_sums16_add(pi_sums16 *a, pi_sums16 *b, int8x16x2_t code, pi_sums16_inputs q0,
                             size_t lane0, pi_sums16_inputs q1, size_t lane1) {
    const int8x16_t x0 = pi_sums16_chunk(q0, lane0);
    const int8x16_t x1 = pi_sums16_chunk(q1, lane1);
    a->low = vmlal_s8(a->low, vget_low_s8(code.val[0]), vget_low_s8(x0));
    a->high = vmlal_high_s8(a->high, code.val[0], x0);
    b->low = vmlal_s8(b->low, vget_low_s8(code.val[1]), vget_low_s8(x1));
    b->high = vmlal_high_s8(b->high, code.val[1], x1);
}

PI_INLINE int32x4_t pi_sums16_end(pi_sums16 sums, int32x4_t start) {
    return vaddq_s32(start, vpaddq_s32(vpaddlq_s16(sums.low), vpaddlq_s16(sums.high)));
}

#endif
