/* Part of templates: sums of the activations of parts, for formats with minimums. */
#ifndef PARAM_PART_INPUTS
#error "dot/part_sums_neon.inc.h needs PARAM_PART_INPUTS"
#endif
#ifndef PARAM_HAS_MIN
#error "dot/part_sums_neon.inc.h needs PARAM_HAS_MIN"
#endif

#define PARTS (PI_BLOCK_INPUTS / PARAM_PART_INPUTS) /* of a block, with a scale each */

/* scale * sum(q) of every part of a group; parts of 16 inputs are in no record. */
PI_INLINE void scaled_sums(const struct pi_a8_group *x, float *sums) {
    for (size_t p = 0; PARAM_HAS_MIN && p < 4 * PARTS; p++) {
        if (PARTS == 1) {
            sums[p] = x->scaled_sum[p];
        } else {
            sums[p] = x->scale[p / 2] * (float)vaddlvq_s8(vld1q_s8(x->q + 16 * p));
        }
    }
}
