/* Integer sums of four rows over the chunks of a block, by dot products. */
#ifndef PYINFER_KERNELS_UTIL_ARM_SUMS_DOT_H
#define PYINFER_KERNELS_UTIL_ARM_SUMS_DOT_H

#include "kernels/util/arm_dot.h"

enum {
    pi_sums_dot_most = 16,  /* in registers */
    pi_sums_dot_tokens = 8, /* of a register tile of two quads */
};
typedef int32x4_t pi_sums_dot;
typedef int8x16_t pi_sums_dot_inputs;

PI_INLINE pi_sums_dot_inputs pi_sums_dot_load(const int8_t *q) { return vld1q_s8(q); }
PI_INLINE pi_sums_dot pi_sums_dot_begin(int32x4_t start) { return start; }

/* Two chunks: code.val[0] with chunk lane0 of q0 onto *a, code.val[1] with chunk lane1 of q1 onto *b, which
 * may be the same. */
PI_INLINE void pi_sums_dot_add(pi_sums_dot *a, pi_sums_dot *b, int8x16x2_t code,
                               pi_sums_dot_inputs q0, size_t lane0, pi_sums_dot_inputs q1,
                               size_t lane1) {
    *a = pi_dot_lane(*a, code.val[0], q0, lane0);
    *b = pi_dot_lane(*b, code.val[1], q1, lane1);
}
PI_INLINE int32x4_t pi_sums_dot_end(pi_sums_dot sums, int32x4_t start) {
    (void)start;
    return sums;
}

#endif
